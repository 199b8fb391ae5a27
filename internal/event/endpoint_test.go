package event_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"plexy/internal/event"
)

func TestWaitsAreWrittenShort(t *testing.T) {
	for text, want := range map[string]string{
		"1s": "1s", "60s": "1m", "10s": "10s", "90s": "1m30s", "3600s": "1h", "60m": "1h", "1h0m10s": "1h0m10s",
		"1h30m": "1h30m", "24h": "24h", "86400s": "24h", "10m": "10m", "20h": "20h", "100m0s": "1h40m",
	} {
		waits, ok := event.ParseWaits([]string{text})
		if got := event.WaitTexts(waits); !ok || got[0] != want {
			t.Errorf("%s is written %v (%v), want %s", text, got, ok, want)
		}
	}
	for seconds := 1; seconds <= 24*3600; seconds += 7 {
		waits := []time.Duration{time.Duration(seconds) * time.Second}
		if back, ok := event.ParseWaits(event.WaitTexts(waits)); !ok || !slices.Equal(back, waits) {
			t.Fatalf("%v came back as %v", waits, back)
		}
	}
}

func TestWaitsHaveBounds(t *testing.T) {
	many := strings.Fields(strings.Repeat("1s ", event.MaxWaits))
	if _, ok := event.ParseWaits(many); !ok {
		t.Errorf("%d waits are refused", len(many))
	}
	for _, texts := range [][]string{
		nil, append(many, "1s"), {"0s"}, {"999ms"}, {"24h1s"}, {"1s", "-1s"}, {"1.5s"}, {"1"}, {""},
		{"1d"}, {"soon"},
	} {
		if waits, ok := event.ParseWaits(texts); ok {
			t.Errorf("%q is read as %v", texts, waits)
		}
	}
}

func TestSignaturesAreNeverNone(t *testing.T) {
	for text, want := range map[string]string{
		"hmac": "hmac", "ed25519": "ed25519", "hmac ed25519": "hmac ed25519", "ed25519 hmac": "hmac ed25519",
	} {
		got, ok := event.ParseSignatures(strings.Fields(text))
		if !ok || strings.Join(event.SignatureNames(got), " ") != want {
			t.Errorf("%s is read as %v (%v)", text, got, ok)
		}
	}
	for _, names := range [][]string{nil, {""}, {"none"}, {"hmac", "hmac"}, {"hmac", "rsa"}, {"HMAC"}} {
		if got, ok := event.ParseSignatures(names); ok {
			t.Errorf("%q is read as %v", names, got)
		}
	}
	if e := event.NewEndpoint("whe_1", "mer_1", 1); !e.Signed(event.HMAC) || e.Signed(event.Ed25519) {
		t.Errorf("unless said otherwise it is signed %v", e.Signatures)
	}
}

func TestVersionsAreNamed(t *testing.T) {
	for _, version := range event.Versions() {
		if got, ok := event.ParseVersion(event.VersionText(version)); !ok || got != version {
			t.Errorf("version %d is read as %d", version, got)
		}
	}
	if !slices.Contains(event.Versions(), event.Version) {
		t.Error("the present version is not to be had")
	}
	for _, text := range []string{"", "0", "01", "+1", "1.0", "2", "one"} {
		if got, ok := event.ParseVersion(text); ok {
			t.Errorf("%q is read as version %d", text, got)
		}
	}
}

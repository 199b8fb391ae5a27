package connector_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"plexy/internal/card"
	"plexy/internal/connector"
	"plexy/internal/core/money"
)

const digits = "4111111111111111"

// TestSecretsShowThemselvesMasked: whatever prints, logs or encodes a request, of whatever verb, and however
// deep the secret lies.
func TestSecretsShowThemselvesMasked(t *testing.T) {
	number, err := card.ParseNumber(digits)
	if err != nil {
		t.Fatal(err)
	}
	cvv, err := card.ParseCVV("737")
	if err != nil {
		t.Fatal(err)
	}
	typed := card.Card{Number: number, CVV: cvv, Expiry: card.Expiry{Month: 12, Year: 2029}}
	request := connector.Authorization{Card: typed}
	hidden := struct{ inner connector.Authorization }{request}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x", "%q"} {
		fmt.Fprintf(&out, verb+" "+verb+" "+verb+" "+verb+" "+verb+"\n", number, cvv, &typed, request, hidden)
	}
	plain, err := json.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	out.Write(plain)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("m", "n", number, "c", cvv, "r", request)
	slog.New(slog.NewTextHandler(&out, nil)).Info("m", "n", number, "c", cvv, "r", request)
	text := out.String()
	for _, secret := range []string{digits, "34313131", "fa3b51", "737", "2e1"} {
		if strings.Contains(text, secret) {
			t.Errorf("%q is shown in\n%s", secret, text)
		}
	}
	if !strings.Contains(text, "******1111") {
		t.Errorf("the mask is missing:\n%s", text)
	}
}

// TestTheCatalogueOfCodes has every code of plexy-api.md §2.2 and no other.
func TestTheCatalogueOfCodes(t *testing.T) {
	documented := strings.Fields("00 01 02 04 05 07 10 12 13 1A 21 30 33 34 40 41 43 51 54 55 56 57 58 61 62 " +
		"64 65 75 78 79 80 81 82 91 92 95 96 97 98 99")
	if len(connector.Codes()) != len(documented) {
		t.Errorf("%d codes, want %d", len(connector.Codes()), len(documented))
	}
	for _, code := range documented {
		if !connector.Code(code).Known() {
			t.Errorf("%s is missing", code)
		}
	}
	if c := connector.Code("ZZ"); c.Known() || c.Words() != "declined" || c.Approves() {
		t.Errorf("an unknown code is %q", c.Words())
	}
}

func TestTheZeroAnswerIsUnknown(t *testing.T) {
	if a := (connector.Answer{}); a.Outcome != connector.Unknown || a.Outcome.Final() {
		t.Errorf("the zero answer is %s", a.Outcome)
	}
	if connector.Outcome(200).String() != "unknown" || connector.NotSent.String() != "notsent" {
		t.Error("outcomes have other names")
	}
}

func TestVerdicts(t *testing.T) {
	for _, c := range []struct {
		status connector.TransStatus
		reason connector.StatusReason
		want   connector.Verdict
	}{
		{connector.Authenticated, "", connector.Proceed},
		{connector.Attempted, "", connector.Proceed},
		{connector.Unavailable, connector.ReasonTimeout, connector.Unshifted},
		{connector.NotProven, connector.ReasonNotEnrolled, connector.Unshifted},
		{connector.NotProven, connector.ReasonFailed, connector.Refuse},
		{connector.Rejected, connector.ReasonNotEnrolled, connector.Refuse},
		{connector.InChallenge, "", connector.Refuse},
		{"", "", connector.Refuse},
	} {
		if got := (connector.Proof{Status: c.status, Reason: c.reason}).Verdict(); got != c.want {
			t.Errorf("%s %s is %d, want %d", c.status, c.reason, got, c.want)
		}
	}
	broken := connector.Proof{Status: connector.Unavailable, Challenged: true}
	if broken.Verdict() != connector.Refuse {
		t.Error("a challenge that broke off may be followed by an authorization")
	}
	for reason, want := range map[connector.StatusReason]bool{"01": true, "26": true, "": false, "00": false,
		"27": false, "1": false, "x1": false} {
		if (reason.Words() != "") != want {
			t.Errorf("reason %q is %q", reason, reason.Words())
		}
	}
}

func TestOrdersAreChecked(t *testing.T) {
	number, _ := card.ParseNumber(digits)
	id := strings.Repeat("a", 36)
	good := connector.Authorization{Order: connector.Order{Operation: id, Payment: id, At: 1, Amount: 5,
		Currency: money.KZT}, Card: card.Card{Number: number}}
	if err := good.Check(); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(a *connector.Authorization){
		"operation":    func(a *connector.Authorization) { a.Operation = "x" },
		"payment":      func(a *connector.Authorization) { a.Payment = "" },
		"time":         func(a *connector.Authorization) { a.At = 0 },
		"currency":     func(a *connector.Authorization) { a.Currency = "XXX" },
		"amount":       func(a *connector.Authorization) { a.Amount = -1 },
		"card":         func(a *connector.Authorization) { a.Token = "t" },
		"verification": func(a *connector.Authorization) { a.Amount, a.Verification, a.OneStep = 0, true, true },
	} {
		bad := good
		spoil(&bad)
		if err := bad.Check(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	change := connector.Change{Order: good.Order, Original: connector.Original{Operation: id, Amount: 5}}
	if err := change.Check(); err != nil {
		t.Fatal(err)
	}
	change.Amount = 6
	if change.Check() == nil {
		t.Error("more than the original is not refused")
	}
	change.Amount = 0
	if change.Check() == nil {
		t.Error("nothing is not refused")
	}
}

package merchant_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"plexy/internal/merchant"
)

// holds and approvals are the default settings with another duration.
func holds(d time.Duration) merchant.Settings {
	s := merchant.Defaults()
	s.HoldMicros = d.Microseconds()
	return s
}

func approvals(d time.Duration) merchant.Settings {
	s := merchant.Defaults()
	s.ApprovalMicros = d.Microseconds()
	return s
}

func TestSet(t *testing.T) {
	for _, c := range []struct {
		name, value string
		want        merchant.Settings
	}{
		{"hold_expiry", "168h", holds((168 * time.Hour))},
		{"hold_expiry", "7d", holds((168 * time.Hour))},
		{"hold_expiry", "1s", holds(time.Second)},
		{"hold_expiry", "30d", holds((720 * time.Hour))},
		{"approval_expiry", "1s", approvals(time.Second)},
		{"approval_expiry", "90m", approvals(90 * time.Minute)},
		{"approval_expiry", "1d", approvals(24 * time.Hour)},
		{"order_reference", "reject", with(func(s *merchant.Settings) { s.RejectRepeats = true })},
		{"clearing_auto", "0s", with(func(s *merchant.Settings) { s.ClearingAutoMicros = 0 })},
		{"clearing_manual", "30d", with(func(s *merchant.Settings) {
			s.ClearingManualMicros = (720 * time.Hour).Microseconds()
		})},
		{"order_reference", "allow", merchant.Defaults()},
	} {
		got, err := merchant.Defaults().Set(c.name, c.value)
		if err != nil || got != c.want {
			t.Errorf("%s=%s gave %+v, %v", c.name, c.value, got, err)
		}
	}
}

// with is the defaults with a change.
func with(change func(*merchant.Settings)) merchant.Settings {
	s := merchant.Defaults()
	change(&s)
	return s
}

func TestSetRefuses(t *testing.T) {
	for _, c := range [][2]string{
		{"clearing_auto", "-1s"}, {"clearing_auto", "31d"}, {"clearing_manual", "soon"},
		{"hold_expiry", "0"}, {"hold_expiry", "999ms"}, {"hold_expiry", "31d"}, {"hold_expiry", "-1h"},
		{"hold_expiry", "d"}, {"hold_expiry", ""}, {"hold_expiry", "99999999999d"},
		{"approval_expiry", "0"}, {"approval_expiry", "999ms"}, {"approval_expiry", "24h1s"},
		{"approval_expiry", ""},
		{"order_reference", "REJECT"}, {"order_reference", ""}, {"Hold_expiry", "1h"}, {"", ""},
	} {
		before := merchant.Defaults()
		got, err := before.Set(c[0], c[1])
		if !errors.Is(err, merchant.ErrSetting) || got != before {
			t.Errorf("%s=%s gave %+v, %v; want a refusal that changes nothing", c[0], c[1], got, err)
		}
	}
}

func TestMapNamesEverySettingAndReadsBack(t *testing.T) {
	s := merchant.Settings{
		HoldMicros: (36 * time.Hour).Microseconds(), RejectRepeats: true,
		ApprovalMicros: (3 * time.Minute).Microseconds(),
	}
	back := merchant.Defaults()
	for name, value := range s.Map() {
		var err error
		if back, err = back.Set(name, value); err != nil {
			t.Fatal(err)
		}
	}
	if back != s {
		t.Errorf("read back %+v, want %+v", back, s)
	}
}

func TestFrameOrigins(t *testing.T) {
	for value, want := range map[string]string{
		"https://Shop.kz": "https://shop.kz", "https://a.kz, https://b.kz:8443/": "https://a.kz https://b.kz:8443",
		"http://localhost:3000": "http://localhost:3000", "http://127.0.0.1": "http://127.0.0.1", "": "", " ": "",
	} {
		s, err := merchant.Defaults().Set("frame_origins", value)
		if err != nil || s.FrameOrigins != want || (s.Map()["frame_origins"] != want) {
			t.Errorf("%q became %q: %v", value, s.FrameOrigins, err)
		}
	}
	many := strings.Repeat("https://a.kz ", merchant.MaxFrameOrigins+1)
	for _, value := range []string{"*", "https://*.kz", "http://shop.kz", "https://shop.kz/path", "shop.kz",
		"https://u@shop.kz", "https://shop.kz?x", "https://shop.kz;script-src", "javascript:x", "null", many} {
		if s, err := merchant.Defaults().Set("frame_origins", value); !errors.Is(err, merchant.ErrSetting) {
			t.Errorf("%q became %q: %v", value, s.FrameOrigins, err)
		}
	}
}

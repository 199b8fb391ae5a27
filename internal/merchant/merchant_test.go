package merchant_test

import (
	"errors"
	"testing"
	"time"

	"plexy/internal/merchant"
)

func TestSet(t *testing.T) {
	for _, c := range []struct {
		name, value string
		want        merchant.Settings
	}{
		{"hold_expiry", "168h", merchant.Settings{HoldMicros: (168 * time.Hour).Microseconds()}},
		{"hold_expiry", "7d", merchant.Settings{HoldMicros: (168 * time.Hour).Microseconds()}},
		{"hold_expiry", "1s", merchant.Settings{HoldMicros: time.Second.Microseconds()}},
		{"hold_expiry", "30d", merchant.Settings{HoldMicros: (720 * time.Hour).Microseconds()}},
		{"order_reference", "reject", merchant.Settings{
			HoldMicros: merchant.Defaults().HoldMicros, RejectRepeats: true,
		}},
		{"order_reference", "allow", merchant.Defaults()},
	} {
		got, err := merchant.Defaults().Set(c.name, c.value)
		if err != nil || got != c.want {
			t.Errorf("%s=%s gave %+v, %v", c.name, c.value, got, err)
		}
	}
}

func TestSetRefuses(t *testing.T) {
	for _, c := range [][2]string{
		{"hold_expiry", "0"}, {"hold_expiry", "999ms"}, {"hold_expiry", "31d"}, {"hold_expiry", "-1h"},
		{"hold_expiry", "d"}, {"hold_expiry", ""}, {"hold_expiry", "99999999999d"},
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
	s := merchant.Settings{HoldMicros: (36 * time.Hour).Microseconds(), RejectRepeats: true}
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

package merchant_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"plexy/internal/merchant"
)

func TestContact(t *testing.T) {
	s, err := merchant.Defaults().Set("contact_email", "owner@shop.kz")
	if err != nil || s.ContactEmail.Reveal() != "owner@shop.kz" {
		t.Fatalf("%+v %v", s, err)
	}
	encoded, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		fmt.Sprint(s.ContactEmail), fmt.Sprintf("%+v %#v %q %s", s, s, s.ContactEmail, s.ContactEmail),
		string(encoded), fmt.Sprint(s.Map()),
	} {
		if strings.Contains(text, "owner") || !strings.Contains(text, "o***@shop.kz") {
			t.Errorf("the address is not masked: %s", text)
		}
	}
	if s, err = s.Set("contact_language", "kk"); err != nil || s.Map()["contact_language"] != "kk" {
		t.Errorf("%+v %v", s, err)
	}
	if s, err = s.Set("contact_email", ""); err != nil || len(s.Map()) != len(merchant.Defaults().Map()) {
		t.Errorf("nobody: %+v %v", s, err)
	}
	if got := merchant.Email("иван@shop.kz").Masked(); got != "и***@shop.kz" {
		t.Errorf("masked %s", got)
	}
}

func TestContactRefuses(t *testing.T) {
	for _, c := range [][2]string{
		{"contact_email", "owner"}, {"contact_email", "Owner <owner@shop.kz>"}, {"contact_email", " a@b.kz"},
		{"contact_email", "a@b.kz\r\nBcc: c@d.kz"}, {"contact_email", "a@b.kz, c@d.kz"}, {"contact_email", "@"},
		{"contact_email", strings.Repeat("a", 250) + "@b.kz"}, {"contact_email", `"a b"@shop.kz`},
		{"contact_language", ""}, {"contact_language", "de"},
	} {
		before := merchant.Defaults()
		got, err := before.Set(c[0], c[1])
		if !errors.Is(err, merchant.ErrSetting) || got != before || strings.Contains(fmt.Sprint(err), "b.kz") {
			t.Errorf("%s=%s gave %+v, %v; want a refusal that changes nothing", c[0], c[1], got, err)
		}
	}
}

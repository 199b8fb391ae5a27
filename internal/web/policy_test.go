package web_test

import (
	"testing"

	"plexy/internal/web"
)

func TestPolicies(t *testing.T) {
	base := "default-src 'none'; style-src 'self'; img-src 'self'; "
	for want, p := range map[string]web.Policy{
		base + "form-action 'self'; base-uri 'none'; frame-ancestors 'none'": {},
		base + "script-src 'self'; connect-src 'self'; frame-src 'self' https://bank.example; " +
			"form-action 'self' https://bank.example; base-uri 'none'; frame-ancestors https://shop.kz https://b.kz:8443": {
			Script: true, Forms: []string{"https://bank.example"}, Frames: []string{"https://bank.example"},
			Ancestors: []string{"https://shop.kz", "https://b.kz:8443"},
		},
		base + "form-action 'self'; base-uri 'none'; frame-ancestors 'self'": {Own: true},
		base + "form-action 'self' https://b.kz; base-uri 'none'; frame-ancestors 'none'": { // none is well formed
			Ancestors: []string{"*", "https://a.kz/x", "https://a.kz; script-src *", "javascript:1", ""},
			Forms:     []string{"https://a b.kz", "https://b.kz"},
		},
	} {
		if got := p.String(); got != want {
			t.Errorf("%+v is\n%s, want\n%s", p, got, want)
		}
	}
}

func TestOriginOf(t *testing.T) {
	for address, want := range map[string]string{
		"https://Shop.KZ/a?b#c": "https://shop.kz", "http://127.0.0.1:80/": "http://127.0.0.1:80",
		"javascript:alert(1)": "", "//shop.kz": "", "https://u:p@shop.kz": "", "https://*.kz": "", "https:///": "",
		"ftp://shop.kz": "", "": "", "https://a;b.kz": "",
	} {
		if got := web.OriginOf(address); got != want {
			t.Errorf("%s: %q", address, got)
		}
	}
}

package shopper_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"plexy/internal/shopper"
)

func TestParseEmail(t *testing.T) {
	for text, want := range map[string]string{
		"a@example.com": "a@example.com", " A.B+c@Example.KZ\n": "a.b+c@example.kz",
		"почта@пример.рф": "почта@пример.рф", "o'brien@x.y": "o'brien@x.y",
	} {
		got, err := shopper.ParseEmail(text)
		if err != nil || got.Reveal() != want || got.IsZero() {
			t.Errorf("%q is read as %q, %v", text, got.Reveal(), err)
		}
	}
	for _, text := range []string{
		"", "a", "a@", "@b.c", "a@b", "a@b.", "a@@b.c", "a b@c.d", "A <a@b.c>", "a@b.c, d@e.f",
		"a@b.c\x00", "a@[127.0.0.1]", strings.Repeat("a", 251) + "@b.c", "a@b.c\r\nBcc: d@e.f",
	} {
		got, err := shopper.ParseEmail(text)
		if !errors.Is(err, shopper.ErrEmail) || !got.IsZero() || got.Reveal() != "" {
			t.Errorf("%q is read as %q, %v", text, got.Reveal(), err)
		}
	}
}

func TestParsePhone(t *testing.T) {
	for text, want := range map[string]string{
		"+77010000001": "+77010000001", "8 (701) 000-00-01": "+77010000001", "7010000001": "+77010000001",
		"+44 20 7946 0018": "+442079460018", "+1 201-555-0123": "+12015550123",
	} {
		got, err := shopper.ParsePhone(text)
		if err != nil || got.Reveal() != want {
			t.Errorf("%q is read as %q, %v", text, got.Reveal(), err)
		}
	}
	for _, text := range []string{
		"", "1", "+7", "+7701000000", "+770100000012", "0800-FLOWERS", "+77010000001;ext=5", "+999123456789",
		"tel:+77010000001", strings.Repeat("7", 80),
	} {
		if got, err := shopper.ParsePhone(text); !errors.Is(err, shopper.ErrPhone) || !got.IsZero() {
			t.Errorf("%q is read as %q, %v", text, got.Reveal(), err)
		}
	}
}

func TestParseName(t *testing.T) {
	got, err := shopper.ParseName("  Айгүл  О'Нил ")
	if err != nil || got.Reveal() != "Айгүл  О'Нил" {
		t.Errorf("read as %q, %v", got.Reveal(), err)
	}
	if _, err := shopper.ParseName(strings.Repeat("ә", shopper.MaxName)); err != nil {
		t.Error(err)
	}
	for _, text := range []string{
		"", "  ", "a\x00b", "a\nb", "\xff", strings.Repeat("ә", shopper.MaxName+1),
	} {
		if _, err := shopper.ParseName(text); !errors.Is(err, shopper.ErrName) {
			t.Errorf("%q is read, %v", text, err)
		}
	}
}

// Whatever prints, logs or encodes one, alone or inside something, shows the mask.
func TestNothingShowsWhoItIs(t *testing.T) {
	email, _ := shopper.ParseEmail("somebody@example.com")
	phone, _ := shopper.ParsePhone("+77010000067")
	name, _ := shopper.ParseName("Somebody Else")
	type hidden struct {
		e shopper.Email
		p shopper.Phone
		n shopper.Name
	}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
		fmt.Fprintf(&out, verb+" "+verb+" "+verb+"\n", email, phone, name)
		fmt.Fprintf(&out, verb+"\n", hidden{email, phone, name})
		fmt.Fprintf(&out, verb+"\n", &hidden{email, phone, name})
	}
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "e", email, "p", phone, "n", name)
	if err := json.NewEncoder(&out).Encode(map[string]any{"e": email, "p": phone, "n": name}); err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"omebody", "example", "7010", "736f6d65", "Else"} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("%q is in\n%s", secret, out.String())
		}
	}
	if email.Masked() != "s***@***" || phone.String() != "+7***67" || name.Masked() != "***" {
		t.Errorf("shown are %s, %s and %s", email, phone, name)
	}
}

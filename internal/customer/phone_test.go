package customer_test

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"plexy/internal/customer"
)

func TestParsePhoneSpellings(t *testing.T) {
	for text, want := range map[string]string{
		"+77012345678":               "+77012345678",
		"+7 701 234-56-78":           "+77012345678",
		"+7 (701) 234 56 78":         "+77012345678",
		"(+7) 701 2345678":           "+77012345678",
		"+7.701.234.56.78":           "+77012345678",
		"+7-701-234-56-78":           "+77012345678",
		" +77012345678 ":             "+77012345678",
		"77012345678":                "+77012345678",
		"7 701 234 56 78":            "+77012345678",
		"87012345678":                "+77012345678",
		"8 (701) 234-56-78":          "+77012345678",
		"8-701-234-56-78":            "+77012345678",
		"7012345678":                 "+77012345678",
		"701 234 56 78":              "+77012345678",
		"810 7 701 234 56 78":        "+77012345678", // dialled from abroad by way of Kazakhstan's own 8-10
		"+7\u00a0701\u00a0234‑56‑78": "+77012345678", // pasted from a page
		"+7 701 234\u201356\u201378": "+77012345678",
		"+77010000001":               "+77010000001",
		"87010000001":                "+77010000001",
		"+7 747 000 00 00":           "+77470000000",
		"8 777 777 77 77":            "+77777777777",
		"+7 (727) 250-00-00":         "+77272500000", // a landline in Almaty
		"8 7172 70 00 00":            "+77172700000", // and in Astana
		"8 800 123 45 67":            "+78001234567",
	} {
		phone, err := customer.ParsePhone(text)
		if err != nil || phone.Reveal() != want || phone.IsZero() {
			t.Errorf("ParsePhone(%q) = %q, %v; want %q", text, phone.Reveal(), err, want)
		}
		same, err := customer.ParsePhone(want)
		if err != nil || same != phone {
			t.Errorf("%q and %q are not the same phone", text, want)
		}
	}
}

func TestParsePhoneRefuses(t *testing.T) {
	for _, text := range []string{
		"", " ", "+", "+7", "7", "phone", "null",
		"+7701234567", "+770123456789", "7701234567", "8701234567", "12345678901234567890",
		"+7701234567a", "+7701234567\x00", "+77012345678\n", "\t+77012345678", "+77012345678;ext=5",
		"+77012345678 ext 5", "+77012345678x5", "+77012345678,,5", "+77012345678#5",
		"8~10 7 701 2345678", "tel:+77012345678", "+7-701-CALLNOW", "++77012345678", "+7+7012345678",
		"+77012345678+", "7+7012345678",
		"８７０１２３４５６７８", "+٧٧٠١٢٣٤٥٦٧٨", "'+77012345678'", "+77012345678/+77012345679",
		"+79161234567", "89161234567", "9161234567", "+74951234567", // Russia
		"+12025550123", "+998901234567", "+996555123456", "+442079460958", "+971501234567",
		"+77032345678", "+77042345678", "+77092345678", "+77482345678", "+77000000", "+70000000000",
		"+87012345678", "0077012345678", "17012345678", "+7 810 812 345 67 89 01 2",
		strings.Repeat("7", 1000), strings.Repeat(" ", 100) + "+77012345678",
	} {
		phone, err := customer.ParsePhone(text)
		if !errors.Is(err, customer.ErrPhone) || !phone.IsZero() {
			t.Errorf("ParsePhone(%q) = %q, %v; want it refused", text, phone.Reveal(), err)
		}
	}
}

func TestParsePhoneOfMobileOperators(t *testing.T) {
	for _, code := range strings.Fields("700 701 702 705 706 707 708 747 771 775 776 777 778") {
		want := "+7" + code + "1234567"
		for _, text := range []string{want, "8" + code + "1234567", "8 (" + code + ") 123-45-67"} {
			phone, err := customer.ParsePhone(text)
			if err != nil || phone.Reveal() != want {
				t.Errorf("ParsePhone(%q) = %q, %v", text, phone.Reveal(), err)
			}
		}
	}
}

var e164 = regexp.MustCompile(`^\+7[78][0-9]{9}$`)

func FuzzParsePhone(f *testing.F) {
	for _, seed := range []string{
		"+77012345678", "8 (701) 234-56-78", "+7 701 234 56 78", "+79161234567", "tel:+7", "+7701234567",
		"810 7 701 234 56 78", "\u00a0", "+++", "8~10",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		phone, err := customer.ParsePhone(text)
		if err != nil {
			if err.Error() != customer.ErrPhone.Error() {
				t.Fatalf("another error: %v", err)
			}
			return
		}
		clear := phone.Reveal()
		if !e164.MatchString(clear) {
			t.Fatalf("%q became %q", text, clear)
		}
		again, err := customer.ParsePhone(clear)
		if err != nil || again != phone {
			t.Fatalf("%q became %q, which is %q, %v", text, clear, again.Reveal(), err)
		}
		if !strings.HasSuffix(digitsOf(text), clear[2:]) {
			t.Fatalf("%q became %q: other digits", text, clear)
		}
		if strings.Contains(fmt.Sprint(phone), clear[1:]) {
			t.Fatal("printed in clear")
		}
	})
}

func digitsOf(text string) string {
	return strings.Map(func(letter rune) rune {
		if letter < '0' || letter > '9' {
			return -1
		}
		return letter
	}, text)
}

func TestParsingAllocatesNothing(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() { _, _ = customer.ParsePhone("+77012345678") }); n != 0 {
		t.Errorf("ParsePhone allocates %v times", n)
	}
	if n := testing.AllocsPerRun(100, func() { _, _ = customer.ParseIIN("900101300017") }); n != 0 {
		t.Errorf("ParseIIN allocates %v times", n)
	}
}

func BenchmarkParsePhone(b *testing.B) {
	for _, text := range []string{"+77012345678", "87012345678"} {
		b.Run(text, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := customer.ParsePhone(text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkParseIIN(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := customer.ParseIIN("900101300017"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReveal(b *testing.B) {
	iin, phone := customer.Example(1)
	b.ReportAllocs()
	for b.Loop() {
		_, _ = iin.Reveal(), phone.Reveal()
	}
}

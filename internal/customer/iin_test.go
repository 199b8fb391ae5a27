package customer_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"plexy/internal/customer"
)

// The control digits here were computed by another program than the one under test.
func TestParseIIN(t *testing.T) {
	for _, c := range []struct {
		text string
		want error
	}{
		{"900101300017", nil},
		{"800515350569", nil},
		{"991231200007", nil}, // 1899
		{"000101100006", nil}, // 1800
		{"000229500008", nil}, // 2000 was a leap year
		{"960229601232", nil}, // 2096: a date to come is not refused
		{"900101300811", nil}, // the first sum gives 10, the second 1
		{"900101300860", nil}, // the first sum gives 10, the second 0

		{"", customer.ErrIINLength},
		{"9", customer.ErrIINLength},
		{"90010130001", customer.ErrIINLength},
		{"9001013000177", customer.ErrIINLength},
		{" 900101300017", customer.ErrIINLength},
		{"90010130001 ", customer.ErrIINLength},
		{"90010130001a", customer.ErrIINLength},
		{"/00101300017", customer.ErrIINLength},
		{"-00101300017", customer.ErrIINLength},
		{"\uff19\uff10\uff10\uff11", customer.ErrIINLength}, // full-width digits, 12 bytes
		{"9001013\x000017", customer.ErrIINLength},

		{"900101000017", customer.ErrIINCentury},
		{"900101700017", customer.ErrIINCentury},
		{"900101900017", customer.ErrIINCentury},

		{"900001300017", customer.ErrIINDate},
		{"901301300017", customer.ErrIINDate},
		{"900100300017", customer.ErrIINDate},
		{"900132300017", customer.ErrIINDate},
		{"900431300017", customer.ErrIINDate},
		{"850229400018", customer.ErrIINDate}, // 1985 was no leap year
		{"000229300005", customer.ErrIINDate}, // 1900 was none

		{"900101300018", customer.ErrIINControl},
		{"900101300071", customer.ErrIINControl},
		{"900101300800", customer.ErrIINControl}, // both sums give 10: never issued
		{"900101301610", customer.ErrIINControl},
	} {
		iin, err := customer.ParseIIN(c.text)
		if !errors.Is(err, c.want) {
			t.Errorf("ParseIIN(%q): %v, want %v", c.text, err, c.want)
		}
		if err != nil && (!errors.Is(err, customer.ErrIIN) || !iin.IsZero() || iin.Reveal() != "") {
			t.Errorf("ParseIIN(%q) gives a number, or an error that is no ErrIIN", c.text)
		}
		if err == nil && (iin.IsZero() || iin.Reveal() != c.text) {
			t.Errorf("ParseIIN(%q) reveals %q", c.text, iin.Reveal())
		}
	}
}

// TestIINDatesFollowTheCalendar tries every day number of every month of three centuries.
func TestIINDatesFollowTheCalendar(t *testing.T) {
	for year := 1800; year < 2100; year++ {
		century := 1 + (year-1800)/100*2
		for month := range 14 {
			for day := range 33 {
				eleven := fmt.Sprintf("%02d%02d%02d%d0000", year%100, month, day, century)
				real := time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
				exists := month > 0 && int(real.Month()) == month && real.Day() == day
				_, err := customer.ParseIIN(eleven + "0") // the control digit is looked at last
				if got := !errors.Is(err, customer.ErrIINDate); got != exists {
					t.Fatalf("%d-%02d-%02d: accepted %v, exists %v", year, month, day, got, exists)
				}
			}
		}
	}
}

// TestIINControlDigitCatchesSlips: a control digit that let single slips of the pen through would be none.
func TestIINControlDigitCatchesSlips(t *testing.T) {
	missed, tried := 0, 0
	for n := range 200 {
		iin, _ := customer.Example(n * 37)
		text := iin.Reveal()
		for at := range len(text) {
			for digit := '0'; digit <= '9'; digit++ {
				wrong := text[:at] + string(digit) + text[at+1:]
				if wrong == text {
					continue
				}
				tried++
				if _, err := customer.ParseIIN(wrong); err == nil {
					missed++
				}
			}
		}
	}
	// Digit 11 is weighed with 11, that is with nothing, in the first sum: such is the algorithm.
	if missed*10 > tried {
		t.Errorf("%d of %d slips went through", missed, tried)
	}
}

func FuzzParseIIN(f *testing.F) {
	for _, seed := range []string{"900101300017", "000229500008", "", "90010130001a", "999999999999"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		iin, err := customer.ParseIIN(text)
		if err != nil {
			if len(text) > 3 && strings.Contains(err.Error(), text) {
				t.Fatalf("the error repeats the text: %v", err)
			}
			return
		}
		if iin.Reveal() != text {
			t.Fatalf("%q became %q", text, iin.Reveal())
		}
		if strings.Contains(fmt.Sprint(iin), text) {
			t.Fatal("printed in clear")
		}
	})
}

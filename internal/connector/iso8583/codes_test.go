package iso8583_test

import (
	"fmt"
	"os"
	"regexp"
	"testing"

	"plexy/internal/connector"
)

// TestCodesMeanWhatTheTableSays asks about every code of two digits; the table is the one of docs/iso8583.md.
func TestCodesMeanWhatTheTableSays(t *testing.T) {
	page, err := os.ReadFile("../../../docs/iso8583.md")
	if err != nil {
		t.Fatal(err)
	}
	table := map[string]string{}
	rows := regexp.MustCompile(`(?m)^\| (\d\d) \| ([a-z ]+) \|`)
	for _, row := range rows.FindAllStringSubmatch(string(page), -1) {
		table[row[1]] = row[2]
	}
	if len(table) != 15 {
		t.Fatalf("the table has %d codes", len(table))
	}
	outcomes := map[string]connector.Outcome{"approved": connector.Approved, "unknown": connector.Unknown,
		"approved in part": connector.Unknown, // here it is the whole amount, which is no part
		"declined":         connector.Declined, "": connector.Declined}
	r := newRig(t)
	for n := range 100 {
		code := fmt.Sprintf("%02d", n)
		expected := outcomes[table[code]]
		r.host.do("fault 0100 1 code %s", code)
		a := authorization(t, 1_000)
		got := r.Authorize(background, a)
		switch {
		case code == "85": // of an amount
			want(t, got, connector.Declined, "85")
		case got.Outcome != expected:
			t.Errorf("%s is %s, want %s", code, got.Outcome, expected)
		case got.Outcome == connector.Unknown:
			want(t, r.told(a.Operation), connector.NotSent, "")
		case got.Outcome == connector.Declined && got.Code != connector.Code(code):
			t.Errorf("%s is declined with %s", code, got.Code)
		}
	}
}

func TestCodesOfChanges(t *testing.T) {
	r := newRig(t)
	a := authorization(t, 1_000)
	yes := r.Authorize(background, a)
	for code, expected := range map[string]connector.Outcome{"00": connector.Approved, "08": connector.Approved,
		"10": connector.Unknown, "25": connector.Declined, "94": connector.Unknown, "96": connector.Unknown,
		"91": connector.Declined, "85": connector.Declined, "1A": connector.Declined} {
		r.host.do("fault 0220 1 code %s", code)
		if got := r.Capture(background, on(a, yes, 1)); got.Outcome != expected {
			t.Errorf("%s is %s, want %s", code, got.Outcome, expected)
		}
	}
}

package event_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"plexy/internal/core/journal"
	"plexy/internal/event"
)

const ulid = "01JDM3Z7V8H8Q2X9K0R1ABCD12"

func TestIDs(t *testing.T) {
	e := event.Event{Number: 7, Record: journal.Record{Object: "wt_" + ulid, Sequence: 3}}
	if got := e.ID(); got != "evt_"+ulid+"_3" {
		t.Errorf("id %s", got)
	}
	e.Record.Object = "019a2a22-1b0d-7732-9672-134baf97b06c"
	if got := e.ID(); got != "evt_G1K8N246RDEWS9CWGK9EQSFC3C_3" {
		t.Errorf("id of a payment's event %s", got)
	}
	rapid.Check(t, func(t *rapid.T) {
		ref := journal.Ref{
			Object: rapid.OneOf(
				rapid.StringMatching(`wt_[0-7][0-9A-HJKMNP-TV-Z]{25}`),
				rapid.StringMatching(`[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}`),
			).Draw(t, "object"),
			Sequence: rapid.Int64Min(1).Draw(t, "sequence"),
		}
		id := event.ID(ref.Object, ref.Sequence)
		if ulid := id[4:30]; ulid != journal.ULID(ref.Object) {
			t.Fatalf("%s is the event of %s", id, ref.Object)
		}
		if got, ok := event.Parse(id); !ok || got != ref {
			t.Fatalf("%s was read as %v", id, got)
		}
	})
}

func TestWhatIsNoID(t *testing.T) {
	for _, text := range []string{
		"", "evt_", "evt_" + ulid, "evt_" + ulid + "_", "evt_" + ulid + "_0", "evt_" + ulid + "_-1",
		"evt_" + ulid + "_01", "evt_" + ulid + "_+1", "evt_" + ulid + "_1.0", "evt_" + ulid + "_1 ",
		"evt_" + ulid + "_1_1", "evt_" + ulid + "_9223372036854775808", "evt_" + ulid[1:] + "_1",
		"evt_0" + ulid + "_1", "evt_" + strings.ToLower(ulid) + "_1", "EVT_" + ulid + "_1", "wt_" + ulid + "_1",
		"evt_wt_" + ulid + "_1", "evt_01JDM3Z7V8H8Q2X9K0R1ABCDI2_1", "evt_01JDM3Z7V8H8Q2X9K0R1ABCD1\x00_1",
		"evt__1", "_1", "evt_GIJDM3Z7V8H8Q2X9K0R1ABCD12_1", "evt_019a2a22-1b0d-7732-9672-134baf97b06c_1",
	} {
		if ref, ok := event.Parse(text); ok {
			t.Errorf("%q was read as %v", text, ref)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("evt_" + ulid + "_1")
	f.Add("evt_" + ulid + "_9223372036854775807")
	f.Add("evt_G1JDM3Z7V8H8Q2X9K0R1ABCD12_1")
	f.Add("evt__1")
	f.Fuzz(func(t *testing.T, text string) {
		ref, ok := event.Parse(text)
		switch {
		case !ok && ref != journal.Ref{}:
			t.Fatalf("%q is no id and names %v", text, ref)
		case ok && (event.ID(ref.Object, ref.Sequence) != text || ref.Sequence < 1 ||
			len(ref.Object) != 29 && len(ref.Object) != 36):
			t.Fatalf("%q was read as %v", text, ref)
		}
	})
}

func TestKindsAreNamedOnce(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range event.Kinds() {
		if seen[k.Name] || !event.Known(k.Name) || k.What == "" || strings.ContainsAny(k.Name, " |\"") {
			t.Errorf("the table of events has %+v", k)
		}
		seen[k.Name] = true
	}
	for _, name := range []string{"", "wallet.transaction", "wallet.topped_up", "Wallet.transaction.captured"} {
		if event.Known(name) {
			t.Errorf("%q is in the table of events", name)
		}
	}
}

func TestAnEndpointWantsItsTypes(t *testing.T) {
	all, one := event.Endpoint{}, event.Endpoint{Types: []string{"wallet.transaction.captured"}}
	for _, k := range event.Kinds() {
		if !all.Wants(k.Name) || one.Wants(k.Name) != (k.Name == "wallet.transaction.captured") {
			t.Errorf("%s: %v, %v", k.Name, all.Wants(k.Name), one.Wants(k.Name))
		}
	}
	var names []string
	for _, k := range event.Kinds() {
		names = append(names, k.Name)
	}
	for _, types := range [][]string{nil, names[:1], names} {
		if got := event.SplitTypes(event.JoinTypes(types)); strings.Join(got, "+") != strings.Join(types, "+") {
			t.Errorf("%v was kept as %v", types, got)
		}
	}
}

func TestIDsOfDeliveriesSortByNumber(t *testing.T) {
	last := ""
	for _, number := range []int64{1, 2, 9, 10, 999_999_999, 1_000_000_000, 9_999_999_999_999_999} {
		id := event.DeliveryID("whe_"+ulid, number)
		if id <= last || !strings.HasPrefix(id, "whd_"+ulid+"_") || len(id) != 4+26+1+16 {
			t.Errorf("delivery %d is %s, after %s", number, id, last)
		}
		last = id
	}
}

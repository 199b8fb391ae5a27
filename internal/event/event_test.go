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
	rapid.Check(t, func(t *rapid.T) {
		ref := journal.Ref{
			Object:   "wt_" + rapid.StringMatching(`[0-9A-HJKMNP-TV-Z]{26}`).Draw(t, "ulid"),
			Sequence: rapid.Int64Min(1).Draw(t, "sequence"),
		}
		id := event.ID(ref.Object, ref.Sequence)
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
		"evt__1", "_1",
	} {
		if ref, ok := event.Parse(text); ok {
			t.Errorf("%q was read as %v", text, ref)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("evt_" + ulid + "_1")
	f.Add("evt_" + ulid + "_9223372036854775807")
	f.Add("evt__1")
	f.Fuzz(func(t *testing.T, text string) {
		ref, ok := event.Parse(text)
		switch {
		case !ok && ref != journal.Ref{}:
			t.Fatalf("%q is no id and names %v", text, ref)
		case ok && (event.ID(ref.Object, ref.Sequence) != text || len(ref.Object) != 29 || ref.Sequence < 1):
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

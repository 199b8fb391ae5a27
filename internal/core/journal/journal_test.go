package journal_test

import (
	"testing"

	"plexy/internal/core/journal"
	"plexy/internal/core/ledger"
)

func TestNames(t *testing.T) {
	for _, c := range []struct {
		record           journal.Record
		event, operation string
	}{
		{
			journal.Record{Object: "wt_01JDM3Z7V8H8Q2X9K0R1ABCD12", Sequence: 3, Type: journal.Captured},
			"wallet.transaction.captured", "op_01JDM3Z7V8H8Q2X9K0R1ABCD12_3",
		},
		{
			journal.Record{Object: "wlt_01JDM3Z7V8H8Q2X9K0R1ABCD12", Sequence: 12, Type: journal.ToppedUp},
			"wallet.topped_up", "op_01JDM3Z7V8H8Q2X9K0R1ABCD12_12",
		},
		{
			journal.Record{Object: "019a2a22-1b0d-7732-9672-134baf97b06c", Sequence: 4, Type: journal.Refunded,
				After: journal.After{State: "charged"}},
			"transaction.charged", "op_G1K8N246RDEWS9CWGK9EQSFC3C_4",
		},
	} {
		if got := c.record.Event(); got != c.event {
			t.Errorf("event %q, want %q", got, c.event)
		}
		if got := c.record.OperationID(); got != c.operation {
			t.Errorf("operation %q, want %q", got, c.operation)
		}
	}
}

func TestULIDOfAUUID(t *testing.T) {
	for _, c := range []struct{ uuid, ulid string }{
		{"00000000-0000-0000-0000-000000000000", "G0000000000000000000000000"},
		{"ffffffff-ffff-ffff-ffff-ffffffffffff", "QZZZZZZZZZZZZZZZZZZZZZZZZZ"},
		{"019a2a22-1b0d-7732-9672-134baf97b06c", "G1K8N246RDEWS9CWGK9EQSFC3C"},
	} {
		if got := journal.ULID(c.uuid); got != c.ulid {
			t.Errorf("%s became %s, want %s", c.uuid, got, c.ulid)
		}
		if got, ok := journal.UUID(c.ulid); !ok || got != c.uuid {
			t.Errorf("%s was read as %s, %v", c.ulid, got, ok)
		}
	}
	for _, text := range []string{
		"", "019a2a22", "019A2A22-1b0d-7732-9672-134baf97b06c", "019a2a22x1b0d-7732-9672-134baf97b06c",
		"019a2a22-1b0d-7732-9672-134baf97b06g", "019a2a22-1b0d-7732-9672--34baf97b06c",
		"+19a2a22-1b0d-7732-9672-134baf97b06c",
	} {
		if got := journal.ULID(text); got != "" {
			t.Errorf("%q became %s", text, got)
		}
	}
	for _, text := range []string{
		"", "G", "01K8N246RDEWS9CWGK9EQSFC3C", "R1K8N246RDEWS9CWGK9EQSFC3C", "GIK8N246RDEWS9CWGK9EQSFC3C",
	} {
		if got, ok := journal.UUID(text); ok {
			t.Errorf("%q was read as %s", text, got)
		}
	}
}

func TestBookOf(t *testing.T) {
	for id, want := range map[string]int{
		"019a2a22-1b0d-7732-9672-134baf97b06c": 0x06c, "pl_019a2a21f46f706ea202a75adabcbfff": 1023,
		"": 0, "xyz": 0, "pl": 0,
	} {
		if got := journal.BookOf(id); got != want {
			t.Errorf("%q is in book %d, want %d", id, got, want)
		}
	}
}

// A wallet's side is no stripe; both sides of a payment's posting are.
func TestStripes(t *testing.T) {
	p := ledger.Posting{Move: ledger.Post, Debit: "a", Credit: "b"}
	for _, c := range []struct {
		record        journal.Record
		debit, credit bool
	}{
		{journal.Record{Posting: p, Wallet: "a"}, false, true},
		{journal.Record{Posting: p, Wallet: "b"}, true, false},
		{journal.Record{Posting: p}, true, true},
		{journal.Record{Wallet: "a"}, false, false},
		{journal.Record{}, false, false},
	} {
		if debit, credit := c.record.Stripes(); debit != c.debit || credit != c.credit {
			t.Errorf("%+v: %v, %v", c.record, debit, credit)
		}
	}
}

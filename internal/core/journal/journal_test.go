package journal_test

import (
	"testing"

	"plexy/internal/core/journal"
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
	} {
		if got := c.record.Event(); got != c.event {
			t.Errorf("event %q, want %q", got, c.event)
		}
		if got := c.record.OperationID(); got != c.operation {
			t.Errorf("operation %q, want %q", got, c.operation)
		}
	}
}

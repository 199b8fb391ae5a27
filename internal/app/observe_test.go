package app

import (
	"testing"

	"plexy/internal/core/machine"
)

// Every command has a name of its own in the metrics.
func TestKindOfEveryCommand(t *testing.T) {
	seen := map[string]machine.Command{}
	for _, c := range []machine.Command{
		machine.Authorize{}, machine.Capture{}, machine.Cancel{}, machine.Refund{}, machine.Expire{},
		machine.Approve{}, machine.Decline{}, machine.Lapse{}, machine.Complete{}, machine.Open{},
		machine.Fund{Direction: machine.TopUp}, machine.Fund{Direction: machine.Withdraw},
		machine.Fund{Direction: machine.Adjust}, machine.SetCondition{}, machine.SetLimits{},
		machine.SetApproval{}, machine.Rebind{}, machine.Remember{}, machine.CreateLink{},
		machine.CancelLink{}, machine.SetLinkExpiry{},
	} {
		name := kind(c)
		if other, taken := seen[name]; taken || name == "unknown" || name == "" {
			t.Errorf("%T is counted as %q, and so is %T", c, name, other)
		}
		seen[name] = c
	}
}

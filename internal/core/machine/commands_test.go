package machine_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"plexy/internal/core/link"
	"plexy/internal/core/machine"
	"plexy/internal/core/money"
	"plexy/internal/core/payment"
	"plexy/internal/core/wallet"
)

// commands is every command, with enough in it to be run on empty books.
var commands = []machine.Command{
	machine.Authorize{Stem: "wt_a", Merchant: "mer_shop", Currency: money.KZT, Amount: 1, Who: who("a", "a")},
	machine.Capture{Target: machine.Target{Merchant: "mer_shop", ID: "wt_a00", Amount: 1}},
	machine.Cancel{Target: machine.Target{Merchant: "mer_shop", ID: "wt_a00", Amount: 1}},
	machine.Refund{Target: machine.Target{Merchant: "mer_shop", ID: "wt_a00", Amount: 1}},
	machine.Expire{ID: "wt_a00"},
	machine.Approve{Owned: machine.Owned{Customer: "cus_a", ID: "wt_a00"}},
	machine.Decline{Owned: machine.Owned{Customer: "cus_a", ID: "wt_a00"}},
	machine.Lapse{ID: "wt_a00"},
	machine.Complete{Merchant: "mer_shop", ID: "wt_a00"},
	machine.Open{Who: who("a", "a"), Currency: money.KZT},
	machine.Fund{Direction: machine.Withdraw, Who: who("a", "a"), Currency: money.KZT, Amount: 1,
		Reference: "r"},
	machine.SetCondition{Who: who("a", "a"), Currency: money.KZT, Condition: wallet.Blocked},
	machine.SetLimits{Who: who("a", "a"), Currency: money.KZT},
	machine.SetApproval{Who: who("a", "a"), Currency: money.KZT, Approval: wallet.Owner},
	machine.Rebind{Who: who("a", "a"), Customer: "cus_a"},
	machine.Remember{},

	machine.CreateLink{Facts: link.Facts{ID: "pl_a", Merchant: "mer_shop", Amount: 1, OrderReference: "A-1"}},
	machine.CancelLink{Merchant: "mer_shop", ID: "pl_a"},
	machine.SetLinkExpiry{Merchant: "mer_shop", ID: "pl_a", ExpiresAt: 9},
	machine.ExpireLink{ID: "pl_a"},
	machine.BeginPayment{Facts: payment.Facts{ID: "a", Merchant: "mer_shop", Link: "pl_a", Amount: 1}},
	machine.Authenticated{Attempt: machine.Attempt{Payment: "a", Operation: "b"}, Verdict: payment.Passed},
	machine.Abandon{Attempt: machine.Attempt{Payment: "a"}},
	machine.AskCapture{Modification: machine.Modification{Merchant: "mer_shop", Payment: "a", Operation: "b"}},
	machine.AskCancel{Modification: machine.Modification{Merchant: "mer_shop", Payment: "a", Operation: "b"}},
	machine.AskRefund{Modification: machine.Modification{Merchant: "mer_shop", Payment: "a", Operation: "b"}},
	machine.ClearPayment{Payment: "a", Operation: "b"},
	machine.RecordAnswer{Attempt: machine.Attempt{Payment: "a", Operation: "b", Link: "pl_a", Other: "c"}},
	machine.SettleOperation{Attempt: machine.Attempt{Payment: "a", Operation: "b", Link: "pl_a", Other: "c"}},
	machine.PutOff{Attempt: machine.Attempt{Payment: "a", Operation: "b"}},
	machine.RecordSettlement{Payment: "a", Amount: 1},
	machine.FailRefund{Payment: "a", Refund: "c"},
}

// sources parses the machine's own files.
func sources(t *testing.T) []*ast.File {
	t.Helper()
	packages, err := parser.ParseDir(token.NewFileSet(), ".", func(f fs.FileInfo) bool {
		return !strings.HasSuffix(f.Name(), "_test.go")
	}, 0)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Collect(maps.Values(packages["machine"].Files))
}

// TestEveryCommandIsKnown fails when a command exists that this list, Keys.Add or Step does not know.
func TestEveryCommandIsKnown(t *testing.T) {
	declared, cases := map[string]bool{}, map[string]map[string]bool{}
	for _, file := range sources(t) {
		for _, d := range file.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if fn.Name.Name == "command" && fn.Recv != nil {
				declared[fn.Recv.List[0].Type.(*ast.Ident).Name] = true
			}
			if fn.Name.Name == "Add" || fn.Name.Name == "decide" {
				cases[fn.Name.Name] = typeCases(fn)
			}
		}
	}
	listed := map[string]bool{}
	for _, c := range commands {
		listed[strings.TrimPrefix(fmt.Sprintf("%T", c), "machine.")] = true
	}
	for where, known := range map[string]map[string]bool{
		"this test's list": listed, "Keys.Add": cases["Add"], "Step": cases["decide"],
	} {
		if d := cmp.Diff(declared, known); d != "" || len(known) < 10 {
			t.Errorf("%s does not know the commands there are (-declared +known):\n%s", where, d)
		}
	}
}

// typeCases lists the types that a function's type switch names.
func typeCases(fn *ast.FuncDecl) map[string]bool {
	found := map[string]bool{}
	ast.Inspect(fn, func(n ast.Node) bool {
		if clause, ok := n.(*ast.CaseClause); ok {
			for _, e := range clause.List {
				if name, ok := e.(*ast.Ident); ok {
					found[name.Name] = true
				}
			}
		}
		return true
	})
	return found
}

// Every command names what it needs: what Step reads on empty books, Keys has asked for.
func TestEveryCommandNamesItsRecords(t *testing.T) {
	for _, c := range commands {
		var k machine.Keys
		in := machine.Instruction{
			Command: c, Scope: "mer_shop", Key: "k",
			Render: func(machine.Outcome) machine.Reply { return machine.Reply{Status: 200} },
		}
		k.Add(in)
		if d := cmp.Diff(k.Replies, []machine.ReplyKey{{Scope: "mer_shop", Key: "k"}}); d != "" {
			t.Errorf("%T does not ask for its reply", c)
		}
		cards := len(k.Links) + len(k.Payments) + len(k.LinkReferences)
		_, alone := c.(machine.Remember)
		if n := len(k.Transactions) + len(k.Payers); n > 1 || (n == 0) != (cards > 0 || alone) {
			t.Errorf("%T asks for %d transactions and payers, and %d rows of card payments", c, n, cards)
		}
		if len(k.Payers) > 0 && (len(k.Phones) == 0 || !k.Vault) {
			t.Errorf("%T asks for a payer without phone or generation", c)
		}
		s := machine.NewState()
		s.Terms["mer_shop"] = wallet.Terms{Merchant: "mer_shop", HoldMicros: 1}
		machine.Step(s, machine.Stamp{At: 1}, in)
	}
}

// An instruction that was made for another generation of the vault's keys decides nothing.
func TestStale(t *testing.T) {
	for _, c := range commands {
		var k machine.Keys
		in := machine.Instruction{
			Command: c, Scope: "mer_shop", Key: "k",
			Render: func(machine.Outcome) machine.Reply { return machine.Reply{} },
		}
		if k.Add(in); !k.Vault {
			continue
		}
		s := machine.NewState()
		s.Generation = 2
		o := machine.Step(s, machine.Stamp{At: 1}, in)
		if !o.Stale || o.Generation != 2 || s.Changed() || len(s.Replies) > 0 {
			t.Errorf("%T under another generation: %+v", c, o)
		}
	}
}

// snapshot copies what a step may change.
func snapshot(s *machine.State) *machine.State {
	c := *s
	c.Replies, c.References = maps.Clone(s.Replies), maps.Clone(s.References)
	c.Transactions, c.Wallets = maps.Clone(s.Transactions), maps.Clone(s.Wallets)
	c.WalletOf, c.Customers = maps.Clone(s.WalletOf), maps.Clone(s.Customers)
	c.ByIIN, c.ByPhone = maps.Clone(s.ByIIN), maps.Clone(s.ByPhone)
	c.OrderReferences = maps.Clone(s.OrderReferences)
	c.Payments, c.Operations = maps.Clone(s.Payments), maps.Clone(s.Operations)
	c.Links, c.LinkReferences = maps.Clone(s.Links), maps.Clone(s.LinkReferences)
	return &c
}

// unchanged compares two working sets, but for the replies that a refusal may store, and returns how they
// differ. Rows and lists are compared by hand first: there are millions of them.
func unchanged(before, after *machine.State) string {
	b, a := &before.Changes, &after.Changes
	if maps.Equal(before.Transactions, after.Transactions) && maps.Equal(before.Wallets, after.Wallets) &&
		maps.Equal(before.WalletOf, after.WalletOf) && maps.Equal(before.ByIIN, after.ByIIN) &&
		maps.Equal(before.ByPhone, after.ByPhone) && len(before.Customers) == len(after.Customers) &&
		maps.Equal(before.OrderReferences, after.OrderReferences) &&
		maps.Equal(before.Payments, after.Payments) && maps.Equal(before.Operations, after.Operations) &&
		maps.Equal(before.Links, after.Links) && maps.Equal(before.LinkReferences, after.LinkReferences) &&
		len(before.References) == len(after.References) && len(b.Records) == len(a.Records) &&
		len(b.NewTransactions)+len(b.Transactions) == len(a.NewTransactions)+len(a.Transactions) &&
		len(b.NewWallets)+len(b.Wallets) == len(a.NewWallets)+len(a.Wallets) &&
		len(b.NewCustomers)+len(b.Customers) == len(a.NewCustomers)+len(a.Customers) &&
		len(b.References) == len(a.References) && len(b.Claims) == len(a.Claims) &&
		len(b.Released) == len(a.Released) && len(b.Approvals) == len(a.Approvals) &&
		len(b.Audits) == len(a.Audits) {
		return ""
	}
	return "different: " + cmp.Diff(before, after, cmpopts.EquateEmpty(),
		cmpopts.IgnoreUnexported(machine.Changes{}),
		cmpopts.IgnoreFields(machine.State{}, "Replies"),
		cmpopts.IgnoreFields(machine.Changes{}, "Replies"))
}

// TestARefusedPaymentChangesNothing: what a command about payments or links is refused leaves no trace.
func TestARefusedPaymentChangesNothing(t *testing.T) {
	refused := 0
	for _, stage := range []int{0, 1, 2} { // nothing there · another merchant's · paid and over
		s := machine.NewState()
		if stage > 0 {
			merchant := map[int]string{1: "mer_mall", 2: "mer_shop"}[stage]
			s.AddPayment(payment.Payment{
				Facts: payment.Facts{ID: "a", Merchant: merchant}, Stage: payment.Rejected,
			})
			s.AddPayment(payment.Payment{
				Facts: payment.Facts{ID: "c", Merchant: merchant, Kind: payment.RefundOf, Parent: "a"},
				Stage: payment.Rejected,
			})
			s.AddLink(link.Link{Facts: link.Facts{ID: "pl_a", Merchant: merchant}, Status: link.Paid})
			s.AddLinkReference(machine.OrderReference{Merchant: "mer_shop", Reference: "A-1"})
		}
		for _, c := range commands {
			var k machine.Keys
			k.Add(machine.Instruction{Command: c})
			if len(k.Links)+len(k.Payments)+len(k.LinkReferences) == 0 {
				continue
			}
			before := snapshot(s)
			o := machine.Step(s, machine.Stamp{At: 5}, machine.Instruction{Command: c})
			if o.Reason == "" {
				if stage > 0 {
					t.Errorf("stage %d: %T was done", stage, c)
				}
				s = before
				continue
			}
			refused++
			if d := unchanged(before, s); d != "" {
				t.Errorf("stage %d: %T was refused with %s: %s", stage, c, o.Reason, d)
			}
		}
	}
	if refused < 40 {
		t.Errorf("%d refusals", refused)
	}
}

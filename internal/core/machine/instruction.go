// Package machine is the state machine of all money: an instruction and the records it names go in,
// changed records and a reply come out. It does no I/O and cannot fail; time, ids and indexes arrive
// with the instruction. Keys.Add and Step are the only two places that know every command.
package machine

import (
	"plexy/internal/core/journal"
	"plexy/internal/core/link"
	"plexy/internal/core/money"
	"plexy/internal/core/payment"
	"plexy/internal/core/reject"
	"plexy/internal/core/wallet"
)

// Retention is how long an idempotency key keeps its reply: 30 days, in microseconds (rule I-13).
const Retention = 30 * 24 * 60 * 60 * 1_000_000

// Instruction is one command plus what the outside world decided about it.
type Instruction struct {
	Command     Command
	Scope       string   // whose keys: the merchant's id
	Key         string   // idempotency key; "" for none
	Fingerprint [32]byte // digest of the meaning of the request
	Origin      journal.Origin
	// Render turns the outcome into the reply that is kept under the key and given to the caller. It is
	// a pure function of the door that asked, so that a replay is the first reply byte for byte.
	Render func(Outcome) Reply
}

// Reply is an answer as its door rendered it.
type Reply struct {
	Status int
	Body   []byte
}

// Stamp is given by the committer when it decides: the time in microseconds.
type Stamp struct{ At int64 }

// Outcome is what an instruction came to.
type Outcome struct {
	Reason      reject.Reason      // "" when it was done; a FAILED transaction is done too
	Transaction wallet.Transaction // as it is now
	Wallet      wallet.Wallet      // as it is now, for instructions about a wallet
	Record      journal.Record     // what was written; zero when nothing changed
	Pay         *Pay               // for instructions about payments and links; nil for all others
	Reply       Reply
	Replayed    bool // Reply is the one that was stored
	// First is what the key was first used for, when it was used before: also when it is refused now
	// because it meant something else then.
	First Stored
	// Stale means that the vault's keys changed under the instruction: nothing was decided, and it must
	// be made anew with indexes of Generation.
	Stale      bool
	Generation int64
}

// Pay is what an instruction about payments and links came to: each as it is now, its ID "" when it was not
// concerned.
type Pay struct {
	Payment   payment.Payment
	Operation payment.Operation
	Other     payment.Payment // the refund
	Link      link.Link
	Records   []journal.Record // all that were written, in order
	// Contradicts is set when the acquirer's answer was not believed.
	Contradicts bool
}

// Command is one of the commands below, and in pay.go.
type Command interface{ command() }

// Who names a payer by the blind indexes of IIN and phone, each under every live data key, and the
// vault generation that those keys belong to.
type Who struct {
	IIN, Phone []string
	Generation int64
}

// Target names a merchant's transaction and an amount of it in minor units, more than 0.
type Target struct {
	Merchant string
	ID       string
	Amount   int64
	// Refusal is set in a sandbox only, for what its table of magic values promises: the operation is refused
	// with it, whatever state and amount say.
	Refusal reject.Reason
}

// Authorize holds an amount on a wallet. Stem is the id without its last two characters: the book is
// the wallet's, or Book (the hash of the IIN index) when there is none.
type Authorize struct {
	Stem           string
	Book           int
	Merchant       string
	Currency       money.Currency
	OrderReference string
	Amount         int64
	Who            Who
	// Course is set in a sandbox only, for what its table of magic values promises. The payer is then found by
	// IIN alone: a magic phone number is the phone of whoever has the IIN.
	Course *wallet.Course
}

// Capture makes a part of a hold final.
type Capture struct{ Target }

// Cancel gives a part of a hold up.
type Cancel struct{ Target }

// Refund gives back a part of what was captured.
type Refund struct{ Target }

// Expire releases what remains of a hold whose time has come.
type Expire struct{ ID string }

// Owned names a transaction of one of the customer's own wallets. Another's is not found.
type Owned struct{ Customer, ID string }

// Approve is the owner's yes to a transaction that waits for it. Complete is to follow.
type Approve struct{ Owned }

// Decline is the owner's no.
type Decline struct{ Owned }

// Lapse fails a transaction that its owner has not answered in time.
type Lapse struct{ ID string }

// Complete decides a transaction that is PROCESSING and due: it places the hold or fails it. Merchant is the
// transaction's.
type Complete struct{ Merchant, ID string }

// Opening is what it takes to open a wallet: ids and sealed data, used only where they are needed.
type Opening struct {
	WalletStem string
	Book       int
	Customer   wallet.Customer
}

// By says who did something by hand, and why. ID is the audit row's.
type By struct{ ID, Actor, Reason string }

// Open opens a wallet if the customer has none in the currency.
type Open struct {
	Who      Who
	Currency money.Currency
	Opening  Opening
	By       By
}

// Direction says which way Fund moves money.
type Direction string

// The three ways to move money of a wallet outside a transaction.
const (
	TopUp    Direction = "top-up"
	Withdraw Direction = "withdraw"
	Adjust   Direction = "adjust"
)

// Fund tops a wallet up (opening it if there is none), withdraws from it, or adjusts it. Amount is minor
// units, more than 0; only for Adjust it may be negative. A Reference has one effect for ever in the
// whole installation.
type Fund struct {
	Direction Direction
	Who       Who
	Currency  money.Currency
	Amount    int64
	Reference string
	Opening   Opening
	By        By
}

// SetCondition blocks or unblocks a wallet.
type SetCondition struct {
	Who       Who
	Currency  money.Currency
	Condition wallet.Condition
	By        By
}

// SetLimits bounds what a wallet may authorize.
type SetLimits struct {
	Who      Who
	Currency money.Currency
	Limits   wallet.Limits
	By       By
}

// SetApproval says which authorizations the wallet's owner must approve. Transactions that wait already go
// on as they began.
type SetApproval struct {
	Who      Who
	Currency money.Currency
	Approval wallet.Approval
	By       By
}

// Rebind gives the customer with the IIN a new phone. Who.Phone is the new one's indexes; KeyID and
// Sealed are the new phone sealed for Customer.
type Rebind struct {
	Who      Who
	Customer string
	KeyID    string
	Sealed   []byte
	By       By
}

// Remember changes nothing: its outcome is the reply that Render makes, kept under the instruction's key. It
// is for what is decided outside of here and must have one effect per key: the reply names the record that is
// to be made, and whoever asks again is told the same name. Its status must be StatusElsewhere, since the
// books say nothing of the effect.
type Remember struct{}

// StatusElsewhere is the status of a kept reply whose effect is not in the books; verification looks there
// for that of every 2xx.
const StatusElsewhere = 303

func (Authorize) command()    {}
func (Capture) command()      {}
func (Cancel) command()       {}
func (Refund) command()       {}
func (Expire) command()       {}
func (Approve) command()      {}
func (Decline) command()      {}
func (Lapse) command()        {}
func (Complete) command()     {}
func (Open) command()         {}
func (Fund) command()         {}
func (SetCondition) command() {}
func (SetLimits) command()    {}
func (SetApproval) command()  {}
func (Rebind) command()       {}
func (Remember) command()     {}

// Keys names the records that a batch must load. A keeper loads them in one or two rounds and locks the
// wallets, in order of id: every change to a transaction goes through its wallet's lock. Payments and links
// are locked themselves.
type Keys struct {
	Replies []ReplyKey
	// Kept are those of Replies, in the same order, whose instruction keeps a reply whenever it is decided:
	// where a second reply under a key cannot be saved, they need not be looked up first.
	Kept         []ReplyKey
	Merchants    []string
	Transactions []string // and the wallet of each
	Payers       []Holder // customers by IIN index, and their wallets in the currency
	// Phones are indexes to look up in a second round, for instructions whose payer was not found by IIN
	// or was found with another phone.
	Phones          []string
	References      []string
	OrderReferences []OrderReference // looked up only for merchants that reject repeats
	Vault           bool             // the vault's generation decides whether the indexes are good
	Opening         bool             // a customer may be made: the generation must not move meanwhile

	// Of card payments. Links are locked before Payments, each kind in order of id and after the wallets. An
	// operation is guarded by the lock of its payment, which is named with it.
	Links          []string
	Payments       []string
	Operations     []string
	LinkReferences []OrderReference // looked up among all links there ever were

	made, spare *State // the working set of these keys, and whether it can be given out again: see Reset
}

// ReplyKey is the scope of one idempotency key: one effect per merchant and key.
type ReplyKey struct{ Scope, Key string }

// Holder names a customer by IIN indexes, and a currency ("" for all the customer's wallets).
type Holder struct {
	IIN      []string
	Currency money.Currency
}

// OrderReference is a merchant's own name for a sale.
type OrderReference struct{ Merchant, Reference string }

// Add names the records that in needs.
func (k *Keys) Add(in Instruction) {
	if in.Key != "" {
		k.Replies = append(k.Replies, ReplyKey{in.Scope, in.Key})
	}
	switch c := in.Command.(type) {
	case Authorize:
		if in.Key != "" {
			k.Kept = append(k.Kept, ReplyKey{in.Scope, in.Key})
		}
		k.Merchants = append(k.Merchants, c.Merchant)
		k.OrderReferences = append(k.OrderReferences, OrderReference{c.Merchant, c.OrderReference})
		k.who(c.Who, c.Currency)
	case Capture:
		k.Transactions = append(k.Transactions, c.ID)
	case Cancel:
		k.Transactions = append(k.Transactions, c.ID)
	case Refund:
		k.Transactions = append(k.Transactions, c.ID)
	case Expire:
		k.Transactions = append(k.Transactions, c.ID)
	case Approve:
		k.Transactions = append(k.Transactions, c.ID)
	case Decline:
		k.Transactions = append(k.Transactions, c.ID)
	case Lapse:
		k.Transactions = append(k.Transactions, c.ID)
	case Complete:
		k.Merchants = append(k.Merchants, c.Merchant)
		k.Transactions = append(k.Transactions, c.ID)
	case Open:
		k.who(c.Who, c.Currency)
		k.Opening = true
	case Fund:
		k.who(c.Who, c.Currency)
		k.Opening = k.Opening || c.Direction == TopUp
		if c.Reference != "" {
			k.References = append(k.References, c.Reference)
		}
	case SetCondition:
		k.who(c.Who, c.Currency)
	case SetLimits:
		k.who(c.Who, c.Currency)
	case SetApproval:
		k.who(c.Who, c.Currency)
	case Rebind:
		k.who(c.Who, "")
		k.Opening = true
	case Remember:
	case CreateLink, CancelLink, SetLinkExpiry, ExpireLink, BeginPayment, Authenticated, Abandon, AskCapture,
		AskCancel, AskRefund, ClearPayment, RecordAnswer, SettleOperation, PutOff, RecordSettlement, FailRefund:
		k.pay(c)
	default:
		panic("machine: a command that Keys.Add does not know")
	}
}

func (k *Keys) who(w Who, c money.Currency) {
	k.Vault = true
	k.Payers = append(k.Payers, Holder{w.IIN, c})
	k.Phones = append(k.Phones, w.Phone...)
}

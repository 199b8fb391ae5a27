package sandbox

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"plexy/internal/core/reject"
	"plexy/internal/core/wallet"
)

// MagicPrefix begins all magic phone numbers; four digits follow.
const MagicPrefix = "+7700000"

// Funds is what the sandbox puts on the wallet of a magic number's test person, in minor units: ten million
// million, which nobody uses up by accident.
const Funds = 1_000_000_000_000_000

// While is how long a magic value keeps something undecided, in microseconds.
const While = int64(5 * time.Second / time.Microsecond)

// Payer is one magic phone number: what comes of an authorize that names it, with whatever valid IIN.
type Payer struct {
	Number int            // the last four digits
	Course *wallet.Course // nil: the test person's wallet decides, and has the money
	Words  string         // what happens, in a sentence
}

// Phone is the number in E.164.
func (p Payer) Phone() string { return fmt.Sprintf("%s%04d", MagicPrefix, p.Number) }

// Status is what authorize answers.
func (p Payer) Status() wallet.Status {
	if p.Course == nil {
		return wallet.Success
	}
	return p.Course.Status
}

// Failure is why authorize is refused at once, or "".
func (p Payer) Failure() reject.Reason {
	if p.Course == nil || p.Course.Status != wallet.Failed {
		return ""
	}
	return p.Course.Failure
}

// Amount is one magic amount: what comes of a capture or a refund of exactly that amount. It works on
// transactions whose payer was a magic number, and on no others.
type Amount struct {
	Minor   int64
	Capture reject.Reason // why a capture is refused; "" for not at all
	Refund  reject.Reason // why a refund is
	// While refuses only for as long as the transaction was changed less than that many microseconds ago; 0
	// refuses for ever.
	While int64
	Words string
}

func refused(no reject.Reason) *wallet.Course {
	return &wallet.Course{Status: wallet.Failed, Failure: no}
}

func later(after time.Duration, no reject.Reason) *wallet.Course {
	return &wallet.Course{Status: wallet.Processing, AfterMicros: after.Microseconds(), Failure: no}
}

var payers = []Payer{
	{0, nil, "Succeeds: the money is held."},
	{1, refused(reject.WalletNotFound), "Refused: the customer has no wallet in this currency."},
	{2, refused(reject.IdentityMismatch), "Refused: the phone number and the IIN do not belong together."},
	{3, refused(reject.WalletBlocked), "Refused: the wallet is blocked."},
	{4, refused(reject.LimitExceeded), "Refused: the amount is above a limit of the wallet."},
	{5, refused(reject.InsufficientFunds), "Refused: the wallet does not hold enough money."},
	{11, later(5*time.Second, ""), "Is PROCESSING for 5 seconds and then SUCCESS."},
	{12, later(5*time.Second, reject.InsufficientFunds),
		"Is PROCESSING for 5 seconds and then FAILED: insufficient_funds."},
	{13, later(time.Hour, ""), "Is PROCESSING for an hour and then SUCCESS; move the test clock."},
	{14, later(time.Hour, reject.WalletBlocked),
		"Is PROCESSING for an hour and then FAILED: wallet_blocked; move the test clock."},
	{21, &wallet.Course{Status: wallet.New},
		"Is NEW until the owner of the wallet approves or declines; FAILED with approval_expired if nobody does."},
}

var amounts = []Amount{
	{7_700_001, reject.HoldExpired, reject.NothingCaptured, 0, "Refused, for ever."},
	{7_700_002, reject.NothingRemaining, reject.AmountExceedsCaptured, 0, "Refused, for ever."},
	{7_700_003, reject.AmountExceedsRemaining, reject.TransactionFailed, 0, "Refused, for ever."},
	{7_700_004, reject.TransactionFailed, reject.AmountOutOfRange, 0, "Refused, for ever."},
	{7_700_005, reject.AmountOutOfRange, "", 0, "Refused, for ever."},
	{7_700_011, reject.TransactionPending, reject.TransactionPending, While,
		"Refused until 5 seconds after the transaction was last changed; then done. Use a new Idempotency-Key."},
	{7_700_012, reject.TransactionPending, reject.TransactionPending, 0, "Refused, for ever."},
}

// Payers lists the magic phone numbers in order.
func Payers() []Payer { return payers }

// Amounts lists the magic amounts in order.
func Amounts() []Amount { return amounts }

// PayerOf returns what the table has for a phone number in E.164.
func PayerOf(phone string) (Payer, bool) {
	digits, ok := strings.CutPrefix(phone, MagicPrefix)
	if !ok || len(digits) != 4 {
		return Payer{}, false
	}
	n, err := strconv.Atoi(digits)
	if err != nil {
		return Payer{}, false
	}
	for _, p := range payers {
		if p.Number == n {
			return p, true
		}
	}
	return Payer{}, false
}

// AmountOf returns what the table has for an amount of an operation, capture or refund, and why it is
// refused.
func AmountOf(operation string, minor int64) (a Amount, no reject.Reason) {
	if minor < amounts[0].Minor || minor > amounts[len(amounts)-1].Minor {
		return Amount{}, ""
	}
	for _, a := range amounts {
		switch {
		case a.Minor != minor:
		case operation == "capture":
			return a, a.Capture
		case operation == "refund":
			return a, a.Refund
		}
	}
	return Amount{}, ""
}

package sim

import (
	"fmt"
	"strconv"

	"github.com/oklog/ulid/v2"

	"plexy/internal/core/machine"
	"plexy/internal/core/wallet"
)

// compose writes the bytes of an answer: a refusal shows its reason and nothing else, as at the door.
func compose(reason string, t wallet.Transaction, w wallet.Wallet, state string) (status int, body string) {
	if reason != "" {
		return 422, reason
	}
	b := make([]byte, 0, 160)
	b = append(b, t.ID...)
	if t.ID != "" {
		b = append(b, ' ')
		b = append(b, t.Status...)
		b = append(b, ' ')
		b = append(b, state...)
		b = append(b, ' ')
		b = append(b, t.Failure...)
		for _, n := range [...]int64{
			t.Amount, t.Authorized, t.Captured, t.Canceled, t.Expired, t.Refunded, t.Sequence, t.UpdatedAt,
		} {
			b = strconv.AppendInt(append(b, ' '), n, 10)
		}
	} else if w.ID != "" {
		b = append(b, w.ID...)
		totals := w.Account.Totals
		for _, n := range [...]int64{totals.CreditsPosted, totals.DebitsPosted, totals.DebitsPending} {
			b = strconv.AppendInt(append(b, ' '), n, 10)
		}
	}
	return 200, string(b)
}

// render is the door of the simulator: the same form, filled in from the machine's outcome.
func render(o machine.Outcome) machine.Reply {
	status, body := compose(string(o.Reason), o.Transaction, o.Wallet, string(o.Transaction.State()))
	return machine.Reply{Status: status, Body: []byte(body)}
}

const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// bookText is the two characters at the end of an id.
func bookText(book int) string { return string([]byte{alphabet[book/32], alphabet[book%32]}) }

// stem makes the first 24 characters of a ULID from a time and a number that grows.
func stem(at int64, number uint64) string {
	var u ulid.ULID
	if err := u.SetTime(uint64(at / 1000)); err != nil {
		panic(fmt.Sprintf("sim: time %d does not fit an id", at))
	}
	number <<= 2 // the last two bits of the fifteenth byte belong to the book
	for i := range 5 {
		u[14-i] = byte(number >> (8 * i))
	}
	return u.String()[:24]
}

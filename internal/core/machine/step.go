package machine

import (
	"plexy/internal/core/journal"
	"plexy/internal/core/reject"
	"plexy/internal/core/wallet"
)

// Step decides one instruction and applies it to the working set. A refusal is an outcome like any
// other. Whatever Step refuses, it has changed nothing.
func Step(s *State, at Stamp, in Instruction) Outcome {
	var k ReplyKey
	if in.Key != "" {
		k = ReplyKey{in.Scope, in.Key}
		if stored, ok := s.Replies[k]; ok && at.At-stored.At < Retention {
			return replay(stored, in)
		}
	}
	o := decide(s, at, in)
	if o.Stale {
		return o
	}
	if !o.Replayed && in.Render != nil {
		o.Reply = in.Render(o)
	}
	if f, ok := in.Command.(Fund); ok && f.Reference != "" && o.Reason == "" && !o.Replayed {
		s.References[f.Reference] = Reference{
			Name: f.Reference, Direction: f.Direction, Wallet: o.Wallet.ID,
			Amount: f.Amount, Reply: o.Reply, At: at.At,
		}
		s.Changes.References = append(s.Changes.References, f.Reference)
	}
	if in.Key != "" && storable(o.Reason) {
		s.Replies[k] = Stored{
			// Not before its record: the 30 days count from what the books say.
			Fingerprint: in.Fingerprint, Reply: o.Reply, At: max(at.At, o.Record.At),
			RequestID: in.Origin.RequestID,
		}
		s.Changes.Replies = append(s.Changes.Replies, k)
	}
	return o
}

// replay answers from a stored reply, or refuses a key that meant something else.
func replay(stored Stored, in Instruction) Outcome {
	if stored.Fingerprint == in.Fingerprint {
		return Outcome{Reply: stored.Reply, Replayed: true, First: stored}
	}
	o := Outcome{Reason: reject.IdempotencyKeyReused, First: stored}
	if in.Render != nil {
		o.Reply = in.Render(o)
	}
	return o
}

// storable says which outcomes a key keeps: what was done, and what the state or the amount forbids.
func storable(no reject.Reason) bool { return no == "" || reject.Of(no).Class == reject.Refused }

func decide(s *State, at Stamp, in Instruction) Outcome {
	switch c := in.Command.(type) {
	case Authorize:
		return authorize(s, at, in, c)
	case Capture:
		return operate(s, at, in, c.Target, wallet.Capture)
	case Cancel:
		return operate(s, at, in, c.Target, wallet.Cancel)
	case Refund:
		return operate(s, at, in, c.Target, wallet.Refund)
	case Expire:
		return expire(s, at, in, c)
	case Approve:
		return respond(s, at, in, c.Owned, wallet.Approve)
	case Decline:
		return respond(s, at, in, c.Owned, wallet.Decline)
	case Lapse:
		return lapse(s, at, in, c)
	case Complete:
		return complete(s, at, in, c)
	case Open:
		return open(s, at, c)
	case Fund:
		return fund(s, at, in, c)
	case SetCondition:
		return setCondition(s, at, c)
	case SetLimits:
		return setLimits(s, at, c)
	case SetApproval:
		return setApproval(s, at, c)
	case Rebind:
		return rebind(s, at, c)
	case Remember:
		return Outcome{}
	case CreateLink, CancelLink, SetLinkExpiry, ExpireLink:
		return linked(s, at, in)
	case BeginPayment, Authenticated, Abandon, AskCapture, AskCancel, AskRefund, ClearPayment, RecordAnswer,
		SettleOperation, PutOff, RecordSettlement, FailRefund:
		return pay(s, at, in)
	}
	panic("machine: a command that Step does not know")
}

func authorize(s *State, at Stamp, in Instruction, c Authorize) Outcome {
	if c.Who.Generation != s.Generation {
		return Outcome{Stale: true, Generation: s.Generation}
	}
	terms, ok := s.Terms[c.Merchant]
	if !ok {
		return Outcome{Reason: reject.MerchantNotFound}
	}
	ref := OrderReference{c.Merchant, c.OrderReference}
	if terms.RejectRepeats && s.OrderReferences[ref] {
		return Outcome{Reason: reject.OrderReferenceExists}
	}
	_, w, no := s.find(c.Who, Holding{Currency: c.Currency})
	if c.Course != nil && w.ID != "" {
		no = c.Course.Refusal()
	}
	book := c.Book
	if w.ID != "" {
		book = w.Book
	}
	change := wallet.Authorize(wallet.Request{
		ID: withBook(c.Stem, book), Book: book, Merchant: c.Merchant, Currency: c.Currency,
		OrderReference: c.OrderReference, Amount: c.Amount, HoldMicros: terms.HoldMicros,
		ApprovalMicros: terms.ApprovalMicros, Course: c.Course,
	}, wallet.Payer{Wallet: w, Refusal: no}, at.At)
	if terms.RejectRepeats && change.Transaction.Status != wallet.Failed {
		s.OrderReferences[ref] = true
		s.Changes.Claims = append(s.Changes.Claims, ref)
	}
	return s.finishTransaction(change, at, in.Origin)
}

type operation func(wallet.Transaction, wallet.Wallet, int64, int64) (wallet.Change, reject.Reason)

func operate(s *State, at Stamp, in Instruction, target Target, do operation) Outcome {
	t, ok := s.Transactions[target.ID]
	if !ok || t.Merchant != target.Merchant {
		return Outcome{Reason: reject.TransactionNotFound}
	}
	if target.Refusal != "" {
		return Outcome{Reason: target.Refusal, Transaction: t}
	}
	change, no := do(t, s.Wallets[t.Wallet], target.Amount, at.At)
	if no != "" {
		return Outcome{Reason: no, Transaction: t}
	}
	return s.finishTransaction(change, at, in.Origin)
}

func expire(s *State, at Stamp, in Instruction, c Expire) Outcome {
	t, ok := s.Transactions[c.ID]
	if !ok {
		return Outcome{Reason: reject.TransactionNotFound}
	}
	change, no := wallet.Expire(t, s.Wallets[t.Wallet], at.At)
	if no != "" {
		return Outcome{Reason: no, Transaction: t}
	}
	return s.finishTransaction(change, at, in.Origin)
}

// finishTransaction puts an accepted change into the working set. After this line nothing can refuse.
func (s *State) finishTransaction(c wallet.Change, at Stamp, origin journal.Origin) Outcome {
	t := c.Transaction
	if c.Type == journal.Failed && t.Sequence > 1 {
		// It had taken its order reference, which the next batch finds free again.
		s.Changes.Released = append(s.Changes.Released, OrderReference{t.Merchant, t.OrderReference})
	}
	s.putTransaction(t)
	r := journal.Record{
		Object: t.ID, Sequence: t.Sequence, Book: t.Book, Type: c.Type, Merchant: t.Merchant,
		Wallet: t.Wallet, At: t.UpdatedAt, Amount: c.Amount, Currency: t.Currency, Origin: origin,
		After: journal.After{
			State: string(t.State()), Authorized: t.Authorized, Captured: t.Captured,
			Canceled: t.Canceled, Expired: t.Expired, Refunded: t.Refunded,
		},
	}
	return Outcome{Transaction: t, Wallet: c.Wallet, Record: s.write(r, c)}
}

// write completes the record of an accepted change, puts it into the working set and links it into the
// statement of the wallet it concerns. The wallet is on one side of the posting; the other side's
// running balance belongs to a stripe and is filled in by the keeper.
func (s *State) write(r journal.Record, c wallet.Change) journal.Record {
	if c.Found {
		r.Posting, r.Previous = c.Posting, c.Wallet.Last
		if r.Posting.Debit == c.Wallet.ID {
			r.Debit = c.Balance
		} else {
			r.Credit = c.Balance
		}
		c.Wallet.Last = journal.Ref{Object: r.Object, Sequence: r.Sequence}
		s.putWallet(c.Wallet)
	}
	s.Changes.Records = append(s.Changes.Records, r)
	return r
}

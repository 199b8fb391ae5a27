package httpapi

import (
	"errors"
	"fmt"
	"net/http"

	"plexy/internal/acquiring"
	"plexy/internal/commit"
	"plexy/internal/core/journal"
	"plexy/internal/core/machine"
	"plexy/internal/core/reject"
	"plexy/internal/id"
	"plexy/internal/vault"
	"plexy/internal/view"
)

// staleTries is how often an instruction is made anew because the vault's keys changed under it. Keys
// change twice in a rotation, which takes longer than a request may.
const staleTries = 4

// authorize answers POST /v1/wallet/authorize.
func (a *API) authorize(c *call) {
	f, p := c.body.fields()
	if p.reason != "" {
		refuse(c.Exchange, p)
		return
	}
	o, p := f.order()
	if p.reason != "" {
		refuse(c.Exchange, p)
		return
	}
	// Clear text stops here: it goes into the fingerprint, which is keyed, and into the vault's indexes.
	iin, phone := o.iin.Reveal(), o.phone.Reveal()
	m := a.meanings.begin(c.route.Template, "")
	m.number(o.amount)
	m.text(phone)
	m.text(iin)
	m.text(o.reference)
	m.text(string(o.currency))
	in := c.instruction(a.meanings.end(m))
	in.Render = renderAuthorized(c.ID)

	iin, course, err := a.magicPayer(c, phone, iin, o.currency)
	if err != nil {
		c.trouble(err, reject.QueueFull)
		return
	}
	command := machine.Authorize{
		Stem: id.Transaction + a.options.Stem(), Merchant: c.Merchant, Currency: o.currency,
		OrderReference: o.reference, Amount: o.amount, Course: course,
	}
	for range staleTries {
		v := a.options.Vaults.Current()
		byIIN := v.Indexes(vault.PurposeIIN, iin)
		command.Book = vault.Book(byIIN[0])
		command.Who = machine.Who{
			IIN: texts(byIIN), Phone: texts(v.Indexes(vault.PurposePhone, phone)), Generation: v.Generation(),
		}
		in.Command = command
		outcome, err := a.options.Commit.Submit(c.ctx, command.Book, in)
		if !errors.Is(err, commit.ErrStale) {
			c.finish(outcome, err)
			return
		}
		if err := a.options.Vaults.Refresh(c.ctx); err != nil {
			c.trouble(err, reject.QueueFull)
			return
		}
	}
	c.trouble(commit.ErrStale, reject.QueueFull)
}

// operate answers capture, cancel and refund: command makes the instruction's command of its target.
func (a *API) operate(c *call, command func(machine.Target) machine.Command) {
	f, p := c.body.fields()
	if p.reason != "" {
		refuse(c.Exchange, p)
		return
	}
	amount, p := f.amount()
	if p.reason != "" {
		refuse(c.Exchange, p)
		return
	}
	m := a.meanings.begin(c.route.Template, c.id)
	m.number(amount)
	in := c.instruction(a.meanings.end(m))
	in.Render = renderOperated(c.ID)

	no, err := a.magicRefusal(c, amount)
	if err != nil {
		c.trouble(err, reject.QueueFull)
		return
	}
	target := machine.Target{Merchant: c.Merchant, ID: c.id, Amount: amount, Refusal: no}
	book, ok := id.Book(id.Transaction, c.id)
	if !ok {
		// No transaction has this id. The stored key comes before the id in the order of checks, so only
		// the machine can answer when there is a key; it must not be asked for arbitrary text.
		if c.key == "" {
			c.notFound()
			return
		}
		target.ID = ""
	}
	in.Command = command(target)
	c.finish(a.options.Commit.Submit(c.ctx, book, in))
}

// instruction begins an instruction with what all of a request's have in common.
func (c *call) instruction(fingerprint [32]byte) machine.Instruction {
	return machine.Instruction{
		Scope: c.Merchant, Key: c.key, Fingerprint: fingerprint,
		Origin: journal.Origin{RequestID: c.ID, APIKeyID: c.Key, IdempotencyKey: c.key},
	}
}

// finish answers with the outcome of an instruction, or with why there is none.
func (c *call) finish(o machine.Outcome, err error) {
	if err == nil {
		c.answer(&o)
		return
	}
	c.undone(err)
}

// undone answers why there is no outcome.
func (c *call) undone(err error) {
	switch {
	case errors.Is(err, commit.ErrInProgress):
		refuse(c.Exchange, problem{
			reason: reject.IdempotencyInProgress, source: sourceOf(reject.IdempotencyInProgress),
		})
	case errors.Is(err, commit.ErrUnknown):
		c.trouble(err, reject.OutcomeUnknown)
	case errors.Is(err, commit.ErrBusy), errors.Is(err, commit.ErrClosed), errors.Is(err, acquiring.ErrBusy):
		c.trouble(err, reject.QueueFull)
	default:
		c.trouble(err, reject.InternalError)
	}
}

// trouble answers what is not the caller's fault; the log says why.
func (c *call) trouble(err error, reason reject.Reason) {
	if c.request.Context().Err() != nil {
		err = fmt.Errorf("the caller went away: %w", err)
	}
	c.Trouble = err
	refuse(c.Exchange, problem{reason: reason, source: "server"})
}

// renderAuthorized renders the outcome of authorize. It runs inside the batch, so it keeps nothing of the
// request but the id.
func renderAuthorized(requestID string) func(machine.Outcome) machine.Reply {
	return func(o machine.Outcome) machine.Reply {
		if o.Reason != "" {
			return refusal(o, requestID)
		}
		t := &o.Transaction
		return machine.Reply{
			Status: http.StatusCreated,
			Body:   view.Transaction(make([]byte, 0, view.Size), t, t.Amount, ""),
		}
	}
}

// renderOperated renders the outcome of capture, cancel and refund.
func renderOperated(requestID string) func(machine.Outcome) machine.Reply {
	return func(o machine.Outcome) machine.Reply {
		if o.Reason != "" {
			return refusal(o, requestID)
		}
		return machine.Reply{
			Status: http.StatusOK,
			Body: view.Transaction(make([]byte, 0, view.Size+64), &o.Transaction, o.Record.Amount,
				o.Record.OperationID()),
		}
	}
}

func texts(indexes []vault.Index) []string {
	all := make([]string, len(indexes))
	for i, index := range indexes {
		all[i] = string(index)
	}
	return all
}

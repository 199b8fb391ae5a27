package acquiring

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"plexy/internal/connector"
	"plexy/internal/core/journal"
	"plexy/internal/core/machine"
	"plexy/internal/core/payment"
	"plexy/internal/merchant"
	"plexy/internal/storage"
)

// call asks a connector, outside any transaction and within a time limit. A panic of the connector is
// unknown: it may have sent.
func (a *Acquiring) call(ctx context.Context, what string, limit time.Duration,
	ask func(context.Context) connector.Answer) (answer connector.Answer) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	stop := context.AfterFunc(a.life, cancel)
	defer stop()
	defer func() {
		if p := recover(); p != nil {
			a.alarm("a connector panicked", "call", what, "panic", fmt.Sprintf("%T", p))
			answer = connector.Lost("the connector panicked")
		}
		a.o.Observe(what, answer.Outcome)
	}()
	return ask(ctx)
}

// order is what every request about an operation has in common.
func (a *Acquiring) order(
	ctx context.Context, p payment.Payment, o payment.Operation,
) (connector.Order, error) {
	m, err := a.o.Keeper.Merchant(ctx, p.Merchant)
	if err != nil {
		return connector.Order{}, fmt.Errorf("read the merchant: %w", err)
	}
	return a.orderFor(m, p, o), nil
}

func (a *Acquiring) orderFor(m merchant.Merchant, p payment.Payment, o payment.Operation) connector.Order {
	return connector.Order{
		Operation: o.ID, Payment: p.ID, Merchant: p.Merchant, At: o.CreatedAt, Amount: o.Amount,
		Currency: p.Currency, Acceptor: a.o.Acceptor(m, p.Terminal),
	}
}

// original is the authorization that a later operation is about.
func (a *Acquiring) original(ctx context.Context, p payment.Payment) (connector.Original, error) {
	all, err := a.o.Keeper.OperationsOf(ctx, p.ID)
	if err != nil {
		return connector.Original{}, err
	}
	for _, o := range all {
		if o.Verb == payment.Authorize && o.State == payment.Accepted {
			return originalOf(o), nil
		}
	}
	return connector.Original{}, errors.New("acquiring: the payment has no authorization")
}

func originalOf(o payment.Operation) connector.Original {
	return connector.Original{
		Operation: o.ID, At: o.CreatedAt, Amount: o.Amount, AuthCode: o.AuthCode, RRN: o.RRN,
		NetworkReference: o.NetworkReference,
	}
}

// change asks for a capture, a cancel or a refund.
func (a *Acquiring) change(ctx context.Context, p payment.Payment, o payment.Operation) connector.Answer {
	via := a.by[p.Connector]
	if via == nil {
		return connector.Unsent("no such acquirer is set up")
	}
	order, err := a.order(ctx, p, o)
	if err != nil {
		return connector.Unsent("our books could not be read")
	}
	original, err := a.original(ctx, p)
	if err != nil {
		return connector.Unsent("our books could not be read")
	}
	ask := map[payment.Verb]func(context.Context, connector.Change) connector.Answer{
		payment.Capture: via.Capture, payment.Cancel: via.Cancel, payment.Refund: via.Refund,
	}[o.Verb]
	return a.call(ctx, string(o.Verb), CallLimit, func(ctx context.Context) connector.Answer {
		return ask(ctx, connector.Change{Order: order, Original: original})
	})
}

// settle writes down what came of an operation. What cannot be written down now is asked after later.
func (a *Acquiring) settle(
	ctx context.Context, p payment.Payment, o payment.Operation, said connector.Answer,
) (machine.Pay, error) {
	said = a.whole(ctx, p, o, said)
	ctx, cancel := context.WithTimeout(ctx, writeLimit)
	defer cancel()
	var command machine.Command = machine.PutOff{Attempt: machine.AttemptOf(p, o)}
	if said.Outcome.Final() {
		command = machine.RecordAnswer{
			Attempt: machine.AttemptOf(p, o), Answer: answerOf(said), Audit: "aud_" + a.o.NewID(),
		}
	} else if said.Note != "" {
		a.o.Log.Warn("the outcome is not known", slog.String("operation", o.ID),
			slog.String("verb", string(o.Verb)), slog.String("outcome", said.Outcome.String()),
			slog.String("note", said.Note))
	}
	out, err := a.submit(ctx, p.ID, machine.Instruction{Command: command, Origin: journal.Origin{
		RequestID: o.Origin.RequestID,
	}})
	if err != nil {
		a.alarm("an answer was not written down; it will be asked for again", slog.String("operation", o.ID),
			slog.String("error", err.Error()))
		return machine.Pay{Payment: p, Operation: o}, err
	}
	if out.Reason != "" || out.Pay == nil {
		return machine.Pay{Payment: p, Operation: o}, fmt.Errorf("acquiring: an answer is refused: %s", out.Reason)
	}
	if out.Pay.Contradicts {
		a.alarm("an acquirer contradicts itself", slog.String("operation", o.ID),
			slog.String("outcome", said.Outcome.String()))
	}
	return *out.Pay, nil
}

// answerOf says a final answer in the core's words.
func answerOf(said connector.Answer) payment.Answer {
	state := map[connector.Outcome]payment.State{
		connector.Approved: payment.Accepted, connector.Declined: payment.Declined,
		connector.NotSent: payment.Undone,
	}[said.Outcome]
	return payment.Answer{
		State: state, Amount: said.Approved, Code: string(said.Code), AuthCode: said.AuthCode, RRN: said.RRN,
		NetworkReference: said.NetworkReference, CVVStatus: string(said.CVV),
	}
}

// whole makes a decline of an authorization that was approved for another amount than was asked: what was
// approved is given up first, under an id that follows from the operation's, so that it has one effect. Until
// that is done the outcome is unknown.
func (a *Acquiring) whole(
	ctx context.Context, p payment.Payment, o payment.Operation, said connector.Answer,
) connector.Answer {
	if o.Verb != payment.Authorize || said.Outcome != connector.Approved || said.Approved == o.Amount ||
		said.Approved == 0 || o.State == payment.Accepted {
		return said
	}
	if o.State != payment.Sent { // heard before, and given up then
		said.Outcome, said.Approved = connector.Declined, 0
		return said
	}
	via, undo := a.by[p.Connector], o
	order, err := a.order(ctx, p, o)
	if via == nil || err != nil {
		return connector.Lost("an approval of another amount could not be given up")
	}
	undo.Amount, undo.AuthCode, undo.RRN = said.Approved, said.AuthCode, said.RRN
	undo.NetworkReference = said.NetworkReference
	order.Operation, order.Amount = undoing(o.ID), said.Approved
	gone := a.call(ctx, "undo", CallLimit, func(ctx context.Context) connector.Answer {
		return via.Cancel(ctx, connector.Change{Order: order, Original: originalOf(undo)})
	})
	if gone.Outcome != connector.Approved {
		return connector.Lost("an approval of another amount is not given up yet: " + gone.Outcome.String())
	}
	said.Outcome, said.Approved = connector.Declined, 0
	return said
}

// undoing is the id of the operation that gives up what another one got: a UUID of version 8 made of its id.
func undoing(operation string) string {
	d := sha256.Sum256([]byte("plexy undoes " + operation))
	d[6], d[8] = d[6]&0x0f|0x80, d[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", d[:4], d[4:6], d[6:8], d[8:10], d[10:16])
}

// inquire asks the acquirer what came of an operation.
func (a *Acquiring) inquire(ctx context.Context, asked storage.Asked) connector.Answer {
	p, o := asked.Payment, asked.Operation
	via := a.by[p.Connector]
	if via == nil {
		return connector.Lost("no such acquirer is set up")
	}
	order, err := a.order(ctx, p, o)
	if err != nil {
		return connector.Lost("our books could not be read")
	}
	q := connector.Inquiry{Order: order, Verb: connector.Verb(o.Verb)}
	if o.Verb == payment.Authorize {
		q.Card = a.knownCard(ctx, p)
	} else if q.Original, err = a.original(ctx, p); err != nil {
		return connector.Lost("our books could not be read")
	}
	return a.call(ctx, "inquire", askLimit, func(ctx context.Context) connector.Answer {
		return via.Inquire(ctx, q)
	})
}

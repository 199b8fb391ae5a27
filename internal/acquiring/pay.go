package acquiring

import (
	"context"
	"errors"
)

var errUnfinished = errors.New("acquiring: not written yet")

// Pay makes a payment and takes it as far as it goes without the payer's browser. When ctx ends first, the
// payment is shown as it is and goes on by itself.
//
// Errors are those of commit.Committer.Submit, and ErrBusy: nothing was decided, or the outcome is not known,
// and the same request with the same key may be made again. All else is a Result.
func (a *Acquiring) Pay(ctx context.Context, r Request) (Result, error) {
	return Result{}, errUnfinished
}

// Continue goes on with a payment that waits in 3-D Secure. Only the first CRes counts; another one, and
// whatever comes when the payment does not wait, changes nothing and shows the payment as it is.
func (a *Acquiring) Continue(ctx context.Context, c Continuation) (Result, error) {
	return Result{}, errUnfinished
}

// Look shows a payment as it is, with the Step that its payer's browser must do while it waits in 3-D Secure.
// merchant "" is the browser itself. PaymentNotFound: the merchant has none with this id.
func (a *Acquiring) Look(ctx context.Context, merchant, payment string) (Result, error) {
	return Result{}, errUnfinished
}

// Capture takes all or part of what is held. Before it, whatever is unknown of the payment is asked after.
func (a *Acquiring) Capture(ctx context.Context, m Modification) (Result, error) {
	return Result{}, errUnfinished
}

// Cancel gives up all or part of what is held, as Capture does.
func (a *Acquiring) Cancel(ctx context.Context, m Modification) (Result, error) {
	return Result{}, errUnfinished
}

// Refund gives back all or part of what was captured, as Capture does.
func (a *Acquiring) Refund(ctx context.Context, m Modification) (Result, error) {
	return Result{}, errUnfinished
}

// Callback takes a message that the acquirer of that name sent of its own accord. ErrNoConnector: no such
// acquirer, or it sends none; connector.ErrForged and connector.ErrMalformed: what it was. What was heard
// before, and what is about nothing of ours, changes nothing and is no error.
func (a *Acquiring) Callback(
	ctx context.Context, name string, header func(name string) string, body []byte,
) error {
	return errUnfinished
}

// SessionData is the threeDSSessionData of a payment; PaymentOf reads it back, and is false for what is none.
func SessionData(payment string) string { return "" }

// PaymentOf returns the payment id in a threeDSSessionData, as the bank's page brought it back.
func PaymentOf(sessionData string) (payment string, ok bool) { return "", false }

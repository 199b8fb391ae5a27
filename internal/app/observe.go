package app

import (
	"errors"
	"log/slog"

	"plexy/internal/commit"
	"plexy/internal/core/machine"
	"plexy/internal/core/wallet"
	"plexy/internal/storage"
)

// observe counts one batch and what its instructions came to.
func (s *Server) observe(r commit.Report) {
	if r.Err == nil && s.sequencer != nil {
		s.crowdedBy(len(r.Instructions))
		s.sequencer.Wake()
	}
	s.metrics.Batch(len(r.Instructions), r.Elapsed, result(r.Err))
	for i := range r.Outcomes {
		s.metrics.Operation(kind(r.Instructions[i].Command), outcome(&r.Outcomes[i]))
	}
}

// alarm logs what somebody should look at.
func (s *Server) alarm(what string, err error) {
	s.log.Logger().Error(what, slog.String("alarm", "commit"), slog.String("error", err.Error()))
}

func result(err error) string {
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, storage.ErrUnavailable):
		return "unavailable"
	case errors.Is(err, storage.ErrUncertain):
		return "uncertain"
	case errors.Is(err, storage.ErrTransient):
		return "transient"
	case errors.Is(err, storage.ErrConflict):
		return "conflict"
	}
	return "internal"
}

// kind names a command in the metrics.
func kind(c machine.Command) string {
	switch c := c.(type) {
	case machine.Authorize:
		return "authorize"
	case machine.Capture:
		return "capture"
	case machine.Cancel:
		return "cancel"
	case machine.Refund:
		return "refund"
	case machine.Expire:
		return "expire"
	case machine.Approve:
		return "approve"
	case machine.Decline:
		return "decline"
	case machine.Lapse:
		return "lapse"
	case machine.Complete:
		return "complete"
	case machine.Open:
		return "open"
	case machine.Fund:
		return string(c.Direction)
	case machine.SetCondition:
		return "condition"
	case machine.SetLimits:
		return "limits"
	case machine.SetApproval:
		return "approval"
	case machine.Rebind:
		return "rebind"
	case machine.Remember:
		return "remember"
	}
	return cardKind(c)
}

// cardKind names a command about card payments and links.
func cardKind(c machine.Command) string {
	switch c.(type) {
	case machine.CreateLink:
		return "link_create"
	case machine.CancelLink:
		return "link_cancel"
	case machine.SetLinkExpiry:
		return "link_expiry"
	case machine.ExpireLink:
		return "link_expire"
	case machine.BeginPayment:
		return "payment_begin"
	case machine.Authenticated:
		return "payment_authenticated"
	case machine.Abandon:
		return "payment_abandon"
	case machine.AskCapture:
		return "payment_capture"
	case machine.AskCancel:
		return "payment_cancel"
	case machine.AskRefund:
		return "payment_refund"
	case machine.ClearPayment:
		return "payment_clear"
	case machine.RecordAnswer:
		return "payment_answer"
	case machine.PutOff:
		return "payment_put_off"
	case machine.RecordSettlement:
		return "payment_settle"
	case machine.FailRefund:
		return "refund_fail"
	}
	return "unknown"
}

// outcome names what an instruction came to: ok, replayed, stale, or why it was refused or failed.
func outcome(o *machine.Outcome) string {
	switch {
	case o.Stale:
		return "stale"
	case o.Replayed:
		return "replayed"
	case o.Reason != "":
		return string(o.Reason)
	case o.Transaction.Status == wallet.Failed:
		return string(o.Transaction.Failure)
	}
	return "ok"
}

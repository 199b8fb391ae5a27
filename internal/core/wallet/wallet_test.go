package wallet_test

import (
	"testing"

	"plexy/internal/core/wallet"
)

// The state is the first that matches, in the order of the contract.
func TestState(t *testing.T) {
	type amounts struct{ authorized, captured, canceled, expired, refunded int64 }
	for _, c := range []struct {
		status wallet.Status
		a      amounts
		want   wallet.State
	}{
		{wallet.Failed, amounts{}, wallet.StateFailed},
		{wallet.New, amounts{}, wallet.StatePending},
		{wallet.Processing, amounts{}, wallet.StatePending},
		{wallet.Success, amounts{10, 10, 0, 0, 10}, wallet.StateRefunded},
		{wallet.Success, amounts{10, 4, 6, 0, 4}, wallet.StateRefunded},
		{wallet.Success, amounts{10, 4, 0, 6, 4}, wallet.StateRefunded},
		{wallet.Success, amounts{10, 4, 0, 0, 4}, wallet.StatePartiallyRefunded},
		{wallet.Success, amounts{10, 10, 0, 0, 1}, wallet.StatePartiallyRefunded},
		{wallet.Success, amounts{10, 4, 0, 0, 0}, wallet.StatePartiallyCaptured},
		{wallet.Success, amounts{10, 4, 5, 0, 0}, wallet.StatePartiallyCaptured},
		{wallet.Success, amounts{10, 10, 0, 0, 0}, wallet.StateCaptured},
		{wallet.Success, amounts{10, 4, 6, 0, 0}, wallet.StateCaptured},
		{wallet.Success, amounts{10, 4, 0, 6, 0}, wallet.StateCaptured},
		{wallet.Success, amounts{10, 0, 0, 0, 0}, wallet.StateAuthorized},
		{wallet.Success, amounts{10, 0, 9, 0, 0}, wallet.StateAuthorized},
		{wallet.Success, amounts{10, 0, 0, 10, 0}, wallet.StateExpired},
		{wallet.Success, amounts{10, 0, 4, 6, 0}, wallet.StateExpired},
		{wallet.Success, amounts{10, 0, 10, 0, 0}, wallet.StateCanceled},
	} {
		got := wallet.Transaction{
			Status: c.status, Authorized: c.a.authorized, Captured: c.a.captured,
			Canceled: c.a.canceled, Expired: c.a.expired, Refunded: c.a.refunded,
		}.State()
		if got != c.want {
			t.Errorf("%s %+v is %s, want %s", c.status, c.a, got, c.want)
		}
	}
}

// A day begins at 19:00 UTC.
func TestDayOf(t *testing.T) {
	const hour = 60 * 60 * 1_000_000
	for at, want := range map[int64]int64{0: 0, 19*hour - 1: 0, 19 * hour: 1, 43*hour - 1: 1, 43 * hour: 2} {
		if got := wallet.DayOf(at); got != want {
			t.Errorf("day of %d is %d, want %d", at, got, want)
		}
	}
}

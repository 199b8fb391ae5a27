package iso8583_test

import (
	"context"
	"testing"

	"plexy/internal/card"
	"plexy/internal/connector"
	"plexy/internal/connector/connectortest"
	"plexy/internal/connector/iso8583"
	"plexy/internal/connector/iso8583/host"
)

// away is a connector whose host is gone for the next call, if it was told so.
type away struct {
	*rig
	next bool
}

func (a *away) around() func() {
	if !a.next {
		return func() {}
	}
	a.next = false
	a.host.do("down")
	until(a.t, "the loss", func() bool { return a.State().Connected == 0 })
	return func() {
		a.host.do("up")
		a.connected()
	}
}

func (a *away) Authorize(ctx context.Context, q connector.Authorization) connector.Answer {
	defer a.around()()
	return a.rig.Authorize(ctx, q)
}

func (a *away) Capture(ctx context.Context, q connector.Change) connector.Answer {
	defer a.around()()
	return a.rig.Capture(ctx, q)
}

func (a *away) Cancel(ctx context.Context, q connector.Change) connector.Answer {
	defer a.around()()
	return a.rig.Cancel(ctx, q)
}

func (a *away) Refund(ctx context.Context, q connector.Change) connector.Answer {
	defer a.around()()
	return a.rig.Refund(ctx, q)
}

func TestItKeepsTheContract(t *testing.T) {
	connectortest.Run(t, func(t *testing.T) connectortest.World {
		r := newRig(t, func(o *iso8583.Options) { o.Timeout = answerIn / 2 })
		a := &away{rig: r}
		bad := aCard(t)
		var err error
		if bad.Number, err = card.ParseNumber(host.Blocked); err != nil {
			t.Fatal(err)
		}
		return connectortest.World{
			Connector: a, Good: aCard(t), Bad: bad, Currency: "KZT", Acceptor: acceptor,
			Now: order(1).At, Repeats: true,
			Next: func(trouble connectortest.Trouble) {
				r.connected() // what the last trouble cost is made good
				switch trouble {
				case connectortest.Vanish:
					r.host.do("fault 0 1 drop")
				case connectortest.LoseAnswer:
					r.host.do("fault 0 1 hangup")
				case connectortest.Stall:
					r.host.do("fault 0 1 delay 1h")
				case connectortest.Twice:
					r.host.do("fault 0 1 twice")
				case connectortest.TurnAway:
					a.next = true
				}
			},
			Restart: func() connector.Connector {
				r.restart()
				return r
			},
			Books: func(id string) connectortest.Books {
				b, _ := r.host.authorization(id)
				if b.Reversed {
					return connectortest.Books{}
				}
				return connectortest.Books{Authorized: b.Approved, Captured: b.Captured, Released: b.Released,
					Refunded: b.Refunded}
			},
		}
	})
}

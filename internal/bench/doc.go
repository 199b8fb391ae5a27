// Package bench measures the shipped binary against a yardstick in the same run: a bare net/http echo of
// the same JSON. It starts servers and the load generator as processes of their own, alternates the echo
// and the servers round by round, and judges the medians of the rounds' ratios, because ratios taken side
// by side survive a busy machine and absolute numbers do not.
//
// The parts: wire.go and request.go are the load generator's cheap HTTP client, load.go drives it through
// phases, echo.go is the yardstick, onetransaction.go the second one (the same work on PostgreSQL, one
// transaction per request), process.go starts and watches processes, stage.go prepares databases, run.go
// plays the rounds and figures.go judges them. Of card payments, cards.go is the load, cardstage.go makes
// customers with stored cards, fillcards.go stores payments in bulk, cardrun.go has rounds and figures.
package bench

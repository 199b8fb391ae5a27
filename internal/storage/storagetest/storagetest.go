// Package storagetest is the conformance suite of the keepers: what the contract of internal/storage
// means, down to the byte order of text, the microsecond and the last of 64 bits. A new keeper is judged
// by one short test that calls Run.
package storagetest

import (
	"testing"

	"plexy/internal/storage"
)

// Open returns an empty keeper, migrated and ready, that is closed when the test ends.
type Open func(tb testing.TB) storage.Storage

// Reopener is what an opened keeper may be besides: one that can be closed and opened again on what it
// kept. The suite then checks that nothing is lost by it.
type Reopener interface {
	storage.Storage
	// Reopen closes the keeper and opens it again on what it kept; it is closed when the test ends.
	Reopen(tb testing.TB) storage.Storage
}

// Run judges the keeper that open opens. Every test opens its own.
func Run(t *testing.T, open Open) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			c.run(newWorld(t, open(t)))
		})
	}
}

var cases = []struct {
	name string
	run  func(*world)
}{
	{"installation", installation},
	{"vault rotates once a generation", rotation},
	{"customers are sealed anew unless they changed", reseal},
	{"merchants", merchants},
	{"keys", keys},
	{"audit rows newest first", audits},
	{"nothing is not found", notFound},
	{"test clock", testClock},
	{"faults of merchants", merchantFaults},
	{"memory of the pretend bank", bankRows},

	{"a transaction comes back as it went", roundTripTransaction},
	{"a wallet and its customer come back as they went", roundTripWallet},
	{"records come back as they went", roundTripRecords},
	{"what an owner must approve comes back as it went", roundTripApproval},
	{"a transaction that is not decided comes back as it went", roundTripPending},
	{"a failed transaction has no wallet, not an unknown one", emptyNotNull},
	{"64 bits", sixtyFourBits},
	{"time is whole microseconds", microseconds},
	{"text is compared byte by byte", textEquality},
	{"text is ordered byte by byte", textOrder},
	{"rows are copies", copies},

	{"list: newest first, by cursor", listCursor},
	{"list: filters", listFilters},
	{"list: times", listTimes},
	{"list: offset", listOffset},
	{"holds that are due", dueHolds},
	{"decisions that are due", dueDecisions},
	{"what waits for an owner", waiting},
	{"stripes by prefix", stripePrefix},

	{"load finds payers by any of their indexes", loadPayers},
	{"load finds a transaction's wallet", loadTransactions},
	{"load finds order references of rejecting merchants", loadOrderReferences},
	{"order references of what failed after all are free", releasedReferences},
	{"load finds replies and references", loadReplies},
	{"many keys are all found", manyKeys},
	{"a reply past its retention is replaced", staleReplies},
	{"old replies are swept", sweep},

	{"running balances of stripes", runningBalances},
	{"each lane has its own stripes", laneStripes},
	{"an error leaves nothing behind", rollback},
	{"a stripe that overflows leaves nothing behind", overflowRollback},
	{"unique rows conflict", conflicts},
	{"one effect among racing batches", races},
	{"one decision among racing owners, merchants and clocks", approvalRaces},
	{"a cancelled context saves nothing", cancelled},
	{"a snapshot does not change", snapshotIsolation},
	{"walks may be nested", nestedWalks},
	{"walks see everything, in order", walksOrdered},
	{"events are numbered without gaps", eventNumbers},
	{"events are numbered while lanes commit", eventRace},
	{"endpoints", endpoints},
	{"endpoints are made and changed at once", endpointRaces},
	{"deliveries are made for who listens", deliveriesMade},
	{"deliveries are finished", deliveriesFinished},
	{"one server delivers to an endpoint", claims},
	{"deliveries are replayed", replays},
	{"old deliveries are swept", deliveriesSwept},
	{"old events are swept", eventsSwept},
	{"events are swept in order of number", sweptInOrder},
	{"events are swept while others are numbered", sweepRace},
	{"merchants are told of failing endpoints once a stage", endpointTellings},
	{"reopened, it has kept everything", reopen},

	{"customers by phone and by wallet", holders},
	{"a code is tried five times, until it expires", codeTries},
	{"a code opens one log-in", codeOnce},
	{"quotas of codes", codeQuotas},
	{"a log-in is seen, and ends", logIns},
	{"languages", languages},
	{"messages newest first", messages},
	{"one process tells at a time", tellings},
	{"what pages kept is swept", sweepPeople},

	{"card payments come back as they went", withCards(roundTripPayment)},
	{"both sides of a payment's posting are stripes", withCards(stripesOfPayments)},
	{"a verification has no amount", withCards(verification)},
	{"order references of links are for ever", withCards(linkReferences)},
	{"payments: filters and pages", withCards(listPayments)},
	{"links: filters, pages and statistics", withCards(listLinks)},
	{"payments and links: pages over days", withCards(pagesOverDays)},
	{"payments: pages of a busy day", withCards(pagesOfADay)},
	{"payments: statistics of links over days", withCards(statisticsOverDays)},
	{"operations that are due or unknown", withCards(duePayments)},
	{"the pretend bank forgets what is over", withCards(bankSweep)},
	{"payments that are due", withCards(dueClearings)},
	{"links that are due", withCards(dueLinks)},
	{"one payer among racing ones", withCards(raceForALink)},
	{"one effect of an answer among races", withCards(oneAnswerAmongRaces)},
	{"events of payments", withCards(eventsOfPayments)},
	{"events of payments go to their own addresses", withCards(callbacks)},
	{"walks of payments are in order", withCards(booksOfPayments)},

	{"shoppers", shoppers},
	{"shoppers newest first, by page", shopperLists},
	{"a pair makes one shopper among racing ones", shopperRace},
	{"cards", savedCards},
	{"cards of payments that are not decided", heldCards},
	{"sessions of the hosted page", sessions},
	{"keys of direct payments", directKeys},
	{"records are sealed anew unless they changed", sealedRecords},
}

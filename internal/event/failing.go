package event

import "time"

// Why an endpoint was disabled by what its receiver showed, and not by a person.
const (
	WhyGone   = "the receiver answered 410 Gone"
	WhySilent = "no delivery succeeded for 5 days"
)

// Stage is how bad it is with an endpoint; its merchant is told of each (rule W-7). The numbers are stored.
type Stage int64

// The stages, in the order in which they are reached.
const (
	FailingHour Stage = 1 // no delivery succeeded for HourStage
	FailingDay  Stage = 2 // nor for DayStage
	GivenUp     Stage = 3 // it was disabled: WhyGone or WhySilent
)

// How long an endpoint has been failing when a stage is reached.
const (
	HourStage = time.Hour
	DayStage  = 24 * time.Hour
)

// StageAt tells the stage that the endpoint has reached at the given time (microseconds); 0 for none.
func (e Endpoint) StageAt(at int64) Stage {
	switch failing := at - e.FailingSince; {
	case e.FailingSince == 0:
		return 0
	case e.State == Disabled && (e.Why == WhyGone || e.Why == WhySilent):
		return GivenUp
	case e.State == Disabled: // by a person, who knows
		return 0
	case failing >= DayStage.Microseconds():
		return FailingDay
	case failing >= HourStage.Microseconds():
		return FailingHour
	}
	return 0
}

package sandbox

import (
	"slices"
	"strconv"
	"time"
)

// Screen is what the payer does in a challenge.
type Screen string

// The screens. Wherever a code is entered or chosen, CodeRight succeeds and CodeWrong fails.
const (
	NoChallenge Screen = ""
	Text        Screen = "text"        // type a code
	Single      Screen = "single"      // choose one code
	Multi       Screen = "multi"       // choose every right code
	OutOfBand   Screen = "out_of_band" // answer in the bank's own app, here a pretend one
	HTML        Screen = "html"        // a form of the bank's own
)

// The answers to challenges.
const (
	CodeRight      = "555"
	CodeAlsoRight  = "777" // the other one to choose in Multi
	CodeWrong      = "111"
	BadCVV         = "444" // the CVV that the bank does not find to match
	LuhnFails      = "4111111111111110"
	PartialPercent = 50 // of the amount, that the response code 10 approves
)

// Ending is how a challenge ends whatever the payer does; "" when the payer decides.
type Ending string

// The endings.
const (
	AsAnswered Ending = ""
	Cancelled  Ending = "cancelled" // as if the payer had cancelled
	Broken     Ending = "broken"    // with an error message in place of the CRes
)

// Secure is how 3-D Secure goes with a card.
type Secure struct {
	Method   bool   // the method's page comes first
	Silent   bool   // the directory does not answer in time
	Screen   Screen // of the challenge, NoChallenge for none
	Ending   Ending // of the challenge
	Mandated bool   // challenged in spite of an exemption, and declined when nobody was authenticated
	Status   string // transStatus without a challenge
	Reason   string // transStatusReason, "" for none
}

// Card is a test card.
type Card struct {
	Number string
	Secure Secure
	Code   string // response code of every authorization, "" when it succeeds
	Words  string // what happens, in a sentence
}

func frictionless(status, reason string) Secure { return Secure{Status: status, Reason: reason} }

func challenged(s Screen) Secure { return Secure{Screen: s} }

// The cards of the documentation's test scenarios, then a few that it does not have.
var cards = []Card{
	{"4111111111111111", challenged(Text), "", "Challenge: a code is typed."},
	{"4200000000000000", challenged(OutOfBand), "", "Challenge: answered out of band, in the bank's app."},
	{"4640170131116658", challenged(HTML), "", "Challenge: a form of the bank's own (HTML)."},
	{"4907639999909022", frictionless("Y", ""), "", "Authenticated without a challenge."},
	{"4907639999990022", frictionless("R", "11"), "", "Rejected by the issuer without a challenge."},
	{"4907630099999922", frictionless("N", "01"), "", "Not authenticated, without a challenge."},
	{"4001880000000055", Secure{Screen: Text, Ending: Cancelled}, "",
		"Challenge that ends as cancelled by the payer, whatever is answered."},
	{"4918914107195005", Secure{Screen: Text, Mandated: true}, "",
		"Challenge is required: no exemption avoids it, and an authorization without it is declined with 65."},
	{"5555555555554444", challenged(Text), "", "Challenge: a code is typed."},
	{"5283901669012672", challenged(Single), "", "Challenge: one of several codes is chosen."},
	{"5440382741349178", challenged(Multi), "", "Challenge: several codes are chosen."},
	{"5168159443230322", Secure{Screen: Text, Ending: Broken}, "",
		"Challenge that ends with an error in place of the CRes."},
	{"5283901906612672", frictionless("R", "11"), "", "Rejected by the issuer without a challenge."},
	{"5283901901266672", frictionless("N", "13"), "", "Not enrolled: no authentication, reason 13."},
	{"5105105105105100", frictionless("Y", ""), "05", "Authenticated, and the authorization is declined."},

	{"4000000000001000", Secure{Method: true, Status: "Y"}, "",
		"The method's page first, then authenticated without a challenge."},
	{"5200000000001005", Secure{Method: true, Screen: Text}, "",
		"The method's page first, then a challenge: a code is typed."},
	{"4000000000002008", Secure{Silent: true, Status: "U", Reason: "14"}, "",
		"The directory does not answer in time: authentication is unavailable."},
	{"4000000000003006", frictionless("A", "26"), "", "An attempt that the issuer stands for."},
}

// Cards lists the test cards.
func Cards() []Card { return cards }

// CardOf returns what happens with a card: of a test card what the table says, of every other one success
// without a challenge.
func CardOf(number string) Card {
	if i := slices.IndexFunc(cards, func(c Card) bool { return c.Number == number }); i >= 0 {
		return cards[i]
	}
	return Card{Secure: frictionless("Y", "")}
}

// Late is an amount whose operation the acquirer decides later.
type Late struct {
	Minor int64
	After time.Duration
	Code  string // of the decision
	Words string
}

var late = []Late{
	{8_800_011, 5 * time.Second, "00", "Is pending for 5 seconds and then approved."},
	{8_800_012, 5 * time.Second, "51", "Is pending for 5 seconds and then declined with 51."},
	{8_800_013, time.Hour, "00", "Is pending for an hour and then approved; move the test clock."},
	{8_800_014, time.Hour, "05", "Is pending for an hour and then declined with 05; move the test clock."},
}

// Lates lists the amounts that are decided later, in order.
func Lates() []Late { return late }

// LateOf returns what the table has for an amount of minor units.
func LateOf(minor int64) (Late, bool) {
	for _, l := range late {
		if l.Minor == minor {
			return l, true
		}
	}
	return Late{}, false
}

// AmountCode is the response code that an amount asks for: CC of 20CC0, in minor units or in whole major ones
// of a currency with that many decimal digits; "" for none. 20050 and 20050.00 are both 05.
func AmountCode(minor int64, exponent int) string {
	for range 2 {
		if text := strconv.FormatInt(minor, 10); len(text) == 5 && text[:2] == "20" && text[4] == '0' {
			return text[2:4]
		}
		for range exponent {
			if minor%10 != 0 {
				return ""
			}
			minor /= 10
		}
	}
	return ""
}

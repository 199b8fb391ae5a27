// Package sandbox is what a sandbox does on demand: the faults that can be dialled and whom they strike, the
// magic values and the test cards. It knows neither HTTP nor storage; the door and the pretend acquirer ask
// it, and that only in a sandbox.
package sandbox

import (
	"errors"
	"slices"
	"strconv"
	"strings"
)

// Fault is the name of something that goes wrong on demand.
type Fault string

// The faults. What was done in each case is part of its meaning: a client cannot see it, and must not need
// to.
const (
	None       Fault = "none"         // nothing goes wrong
	NotSent    Fault = "not_sent"     // the connection is closed before anything is done
	LostAnswer Fault = "lost_answer"  // it is done, and the connection is closed instead of an answer
	Slow       Fault = "slow"         // it is done, and the answer comes some seconds later
	Duplicated Fault = "duplicated"   // it is submitted twice, and the second answer is sent
	OutOfOrder Fault = "out_of_order" // it waits until a later request has overtaken it
	Error500   Fault = "error_500"    // it is done, and the answer is a 500
	Error503   Fault = "error_503"    // nothing is done, and the answer is a 503
)

// Faults lists all faults but None.
func Faults() []Fault {
	return []Fault{NotSent, LostAnswer, Slow, Duplicated, OutOfOrder, Error500, Error503}
}

var faultWords = map[Fault]string{
	NotSent:    "Nothing is done, and the connection is closed.",
	LostAnswer: "It is done, and the connection is closed instead of an answer.",
	Slow:       "It is done, and the answer comes 3 seconds later; slow=N takes 1 to 8 seconds.",
	Duplicated: "It is submitted twice, and the second answer is sent: with an Idempotency-Key the replay.",
	OutOfOrder: "It waits until a later request of the merchant was answered, at most 2 seconds.",
	Error500:   "It is done, and the answer is 500 internal.",
	Error503:   "Nothing is done, and the answer is 503 busy.",
}

// Words says what happens, in a sentence.
func (f Fault) Words() string { return faultWords[f] }

// Operations lists the operations that a fault can be dialled for.
func Operations() []string {
	return []string{"authorize", "capture", "cancel", "refund", "get", "list"}
}

// Webhook is what a fault of deliveries is dialled for: webhook:lost_answer. A fault that is dialled for all
// operations is not one of deliveries, so that one side can be tried at a time.
const Webhook = "webhook"

// Acquirer is what a fault of all calls of the sandbox's acquirer is dialled for, and acquirer_capture of one
// of them; Callback is for the messages that it sends of its own accord. They stand apart as Webhook does.
const (
	Acquirer = "acquirer"
	Callback = "callback"
)

// AcquirerCalls lists the calls of the acquirer that a fault can be dialled for.
func AcquirerCalls() []string {
	calls := []string{"authorize", "capture", "cancel", "refund", "inquire", "payout", "token", "3ds"}
	for i, call := range calls {
		calls[i] = Acquirer + "_" + call
	}
	return calls
}

// Bounds of Slow, in seconds. A request has 10 seconds in all, of which some are its own.
const (
	DefaultSlow = 3
	MaxSlow     = 8
)

// Dial is a fault as it was dialled. The zero Dial is none.
type Dial struct {
	Fault     Fault
	Seconds   int    // of Slow
	Operation string // the only one that it is for; "" for all
}

// ErrFault says that a text dials no fault.
var ErrFault = errors.New("a fault is none, not_sent, lost_answer, slow or slow=SECONDS (1 to 8), " +
	"duplicated, out_of_order, error_500 or error_503")

// ErrOperation says that a fault is dialled for an operation that there is not.
var ErrOperation = errors.New("the operation before the colon is authorize, capture, cancel, refund, get, " +
	"list, webhook, callback, acquirer or one call of it, as in acquirer_capture (authorize, capture, cancel, " +
	"refund, inquire, payout, token, 3ds)")

// ParseFault reads what a request may dial: the name of a fault, for slow perhaps with seconds (slow=5).
func ParseFault(text string) (Dial, error) {
	name, seconds, given := strings.Cut(text, "=")
	d := Dial{Fault: Fault(name)}
	if given && d.Fault != Slow {
		return Dial{}, ErrFault
	}
	switch {
	case d.Fault == None:
		return Dial{}, nil
	case !slices.Contains(Faults(), d.Fault):
		return Dial{}, ErrFault
	case d.Fault != Slow:
		return d, nil
	case !given:
		d.Seconds = DefaultSlow
		return d, nil
	}
	n, err := strconv.Atoi(seconds)
	if err != nil || n < 1 || n > MaxSlow || strconv.Itoa(n) != seconds {
		return Dial{}, ErrFault
	}
	d.Seconds = n
	return d, nil
}

// ParseDial reads what a merchant may set: what a request may dial, for all operations, or for one as in
// capture:lost_answer.
func ParseDial(text string) (Dial, error) {
	operation, fault, given := strings.Cut(text, ":")
	if !given {
		return ParseFault(text)
	}
	if !apart(operation) && !slices.Contains(Operations(), operation) {
		return Dial{}, ErrOperation
	}
	d, err := ParseFault(fault)
	if err != nil || d.Fault == "" {
		return d, err
	}
	d.Operation = operation
	return d, nil
}

// String writes the dial as ParseDial reads it.
func (d Dial) String() string {
	if d.Fault == "" {
		return string(None)
	}
	text := string(d.Fault)
	if d.Operation != "" {
		text = d.Operation + ":" + text
	}
	if d.Fault == Slow && d.Seconds != DefaultSlow {
		text += "=" + strconv.Itoa(d.Seconds)
	}
	return text
}

// For returns the fault that strikes an operation; None when it is for another.
func (d Dial) For(operation string) Dial {
	switch {
	case d.Operation == operation, d.Operation == "" && !apart(operation),
		d.Operation == Acquirer && strings.HasPrefix(operation, Acquirer):
		return d
	}
	return Dial{}
}

// apart reports whether a fault is dialled for the operation by its name only.
func apart(operation string) bool {
	return operation == Webhook || operation == Callback || operation == Acquirer ||
		slices.Contains(AcquirerCalls(), operation)
}

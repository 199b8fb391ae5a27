// Package wire is the language of the ISO 8583 link: the fields of a message, how they are packed, and the
// frame in which they travel. docs/iso8583.md is its table. It knows nothing of payments.
//
// The library that packs has functions that show a message with its card; they are not used, and neither are
// the texts of its errors: what is wrong is said by the number of the field.
package wire

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/moov-io/iso8583"
	packing "github.com/moov-io/iso8583/errors"
)

// The types of messages. The last digit of a request that is sent again is one higher: a repeat.
const (
	Authorize       = "0100"
	AuthorizeAnswer = "0110"
	Financial       = "0200" // money at once: a purchase in one step, a refund
	FinancialAnswer = "0210"
	Advice          = "0220" // a capture: the completion of an authorization
	AdviceAnswer    = "0230"
	Reversal        = "0400"
	ReversalAnswer  = "0410"
	Network         = "0800"
	NetworkAnswer   = "0810"
)

// Values of fields.
const (
	Purchase       = "000000" // field 3
	Return         = "200000" // field 3
	ReasonCustomer = "17"     // field 39 of a reversal: the merchant cancels
	ReasonLate     = "68"     // field 39 of a reversal: the answer came too late, or could not be used
	SignOn         = "001"    // field 70
	SignOff        = "002"    // field 70
	Echo           = "301"    // field 70
)

const (
	maxFrame        = 4096 // bytes of one message; ours have about 500
	bytesOfLength   = 2
	shortestMessage = 4 + 8 // type and bitmap
	hiddenText      = "(hidden)"
	// noFees completes field 95: no amount of settlement, no fees.
	noFees = "000000000000" + "D00000000" + "D00000000"
)

// ErrFrame says that the stream is not one of our frames: nothing after it can be read either.
var ErrFrame = errors.New("a frame of an impossible length")

// Hidden is text that is printed, logged and encoded as "(hidden)": what belongs to a card.
type Hidden string

// Format answers every verb of package fmt without the text.
func (h Hidden) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hiddenText) }

// MarshalText gives encoders no text.
func (h Hidden) MarshalText() ([]byte, error) { return []byte(hiddenText), nil }

// LogValue gives loggers no text.
func (h Hidden) LogValue() slog.Value { return slog.StringValue(hiddenText) }

// Message is one message. Empty fields are not on the wire. Numbers are text as they stand there, so that
// nothing is lost on the way; Amount and Replacement are read by their own functions.
type Message struct {
	Type        string   `iso8583:"0"`
	Number      Hidden   `iso8583:"2"`
	Processing  string   `iso8583:"3"`
	Amount      string   `iso8583:"4"`  // 12 digits of minor units
	Sent        string   `iso8583:"7"`  // MMDDhhmmss in UTC
	STAN        string   `iso8583:"11"` // system trace audit number
	LocalTime   string   `iso8583:"12"` // hhmmss
	LocalDate   string   `iso8583:"13"` // MMDD
	Expiry      Hidden   `iso8583:"14"` // YYMM
	Category    string   `iso8583:"18"`
	EntryMode   string   `iso8583:"22"`
	Condition   string   `iso8583:"25"`
	Acquirer    string   `iso8583:"32"`
	RRN         string   `iso8583:"37"` // retrieval reference number
	AuthCode    string   `iso8583:"38"`
	Code        string   `iso8583:"39"`
	Terminal    string   `iso8583:"41"`
	Merchant    string   `iso8583:"42"`
	Place       string   `iso8583:"43"` // name, city and country of the merchant
	Private     *Private `iso8583:"48"`
	Currency    string   `iso8583:"49"` // ISO 4217 number
	NetworkRef  string   `iso8583:"63"`
	NetworkCode string   `iso8583:"70"`
	Original    string   `iso8583:"90"` // see OriginalOf
	Replacement string   `iso8583:"95"` // see ReplacementOf
}

// Format answers every verb of package fmt with what tells messages apart. For a verb that does not fit, the
// package prints what a pointer points to without asking its methods, so the whole must not be left to it.
func (m Message) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "%s stan %s rrn %s code %s", m.Type, m.STAN, m.RRN, m.Code)
}

// Private is field 48.
type Private struct {
	Operation string `iso8583:"01"`
	Payment   string `iso8583:"02"`
	Original  string `iso8583:"03"` // operation id of the authorization
	ECI       string `iso8583:"10"`
	CAVV      Hidden `iso8583:"11"`
	Version   string `iso8583:"12"` // of 3-D Secure
	Directory string `iso8583:"13"` // transaction id of the directory
	Initiator string `iso8583:"20"`
	Exemption string `iso8583:"21"`
	CVVResult string `iso8583:"87"`
	CVV       Hidden `iso8583:"92"`
}

// Format answers every verb of package fmt with the operation's id.
func (p Private) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, p.Operation) }

// Pack returns the message as it travels, frame and all. The error names the field that does not fit.
func (m Message) Pack() ([]byte, error) {
	packed := iso8583.NewMessage(spec)
	if err := packed.Marshal(&m); err != nil {
		return nil, errors.New("a field cannot be packed")
	}
	body, err := packed.Pack()
	if err != nil {
		return nil, fmt.Errorf("field %s cannot be packed", m.misfit())
	}
	if len(body) > maxFrame {
		return nil, ErrFrame
	}
	frame := make([]byte, bytesOfLength, bytesOfLength+len(body))
	frame[0], frame[1] = byte(len(body)>>8), byte(len(body))
	return append(frame, body...), nil
}

// misfit finds the field for which a message cannot be packed: the library's error may quote it.
func (m Message) misfit() string {
	packed := iso8583.NewMessage(spec)
	if packed.Marshal(&m) == nil {
		for number := range 129 {
			if set := packed.GetFields()[number]; number != 1 && set != nil {
				if _, err := set.Pack(); err != nil {
					return fmt.Sprint(number)
				}
			}
		}
	}
	return "(unknown)"
}

// Unpack reads a message without its frame. The error names the field that could not be read.
func Unpack(body []byte) (Message, error) {
	if len(body) < shortestMessage {
		return Message{}, errors.New("a message shorter than its type and bitmap")
	}
	packed := iso8583.NewMessage(spec)
	if err := packed.Unpack(body); err != nil {
		var where *packing.UnpackError
		if errors.As(err, &where) {
			return Message{}, fmt.Errorf("field %s cannot be read", where.FieldID)
		}
		return Message{}, errors.New("the message cannot be read")
	}
	var m Message
	if err := packed.Unmarshal(&m); err != nil {
		return Message{}, errors.New("a field of the message cannot be read")
	}
	if !digits(m.Type) {
		return Message{}, errors.New("field 0 cannot be read")
	}
	return m, nil
}

// Read reads the next frame and returns its message's bytes. Empty frames, which some hosts send to keep a
// line open, are passed over.
func Read(r io.Reader) ([]byte, error) {
	for {
		var length [bytesOfLength]byte
		if _, err := io.ReadFull(r, length[:]); err != nil {
			return nil, err
		}
		n := int(length[0])<<8 | int(length[1])
		if n > maxFrame {
			return nil, ErrFrame
		}
		if n == 0 {
			continue
		}
		body := make([]byte, n)
		_, err := io.ReadFull(r, body)
		return body, err
	}
}

// Request reports whether a message asks rather than answers.
func (m Message) Request() bool { return (m.Type[2]-'0')%2 == 0 }

// AnswerType is the type of the answer to a request or its repeat: 0110 for 0100 and 0101.
func AnswerType(request string) string {
	return request[:2] + string(request[2]+1) + "0"
}

// Repeat is the type of a request that is sent again: 0401 for 0400.
func Repeat(request string) string { return request[:3] + "1" }

// AmountOf writes field 4. ok is false for what does not fit 12 digits.
func AmountOf(minor int64) (text string, ok bool) {
	return fmt.Sprintf("%012d", minor), minor >= 0 && minor < 1_000_000_000_000
}

// Minor reads 12 digits of an amount.
func Minor(text string) (minor int64, ok bool) {
	if len(text) != 12 || !digits(text) {
		return 0, false
	}
	for _, digit := range []byte(text) {
		minor = minor*10 + int64(digit-'0')
	}
	return minor, true
}

// TraceOf is the first half of field 90, by which a message can be found: its type, its number, when it was
// sent.
func TraceOf(m Message) string { return m.Type + m.STAN + m.Sent }

// OriginalOf writes field 90: the trace of the original message, its acquirer, and no forwarder.
func OriginalOf(trace, acquirer string) string {
	return trace + strings.Repeat("0", max(0, 11-len(acquirer))) + acquirer + strings.Repeat("0", 11)
}

// ValidTrace reports whether the text is what TraceOf writes.
func ValidTrace(text string) bool { return len(text) == 20 && digits(text) }

// ReplacementOf writes field 95: what is left of the original's amount.
func ReplacementOf(amount string) string { return amount + noFees }

// digits reports whether the text is nothing but digits, and at least one.
func digits(text string) bool {
	return text != "" && strings.Trim(text, "0123456789") == ""
}

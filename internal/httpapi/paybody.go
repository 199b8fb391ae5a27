package httpapi

import (
	"bytes"
	"errors"
	"net/netip"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"plexy/internal/core/money"
	"plexy/internal/core/reject"
)

// Bounds of what stands in a payment's body, in characters.
const (
	maxPayText = 500       // of description, as of a link
	maxBrowser = 2048      // of each of browserDetails
	maxTerm    = 64        // of terminalId
	maxReturn  = 256       // of threeDSNotificationUrl, as EMV 3-D Secure has it
	maxCRes    = 128 << 10 // of cres
	maxPause   = 3650      // days, of frequency
)

// payBody is the body of a direct and of a merchant-initiated payment (plexy-api.md §7.2). customerDetails,
// cartReference and items are not read: what is not needed is not kept.
type payBody struct {
	TransactionType string        `json:"transactionType"`
	Terminal        loose         `json:"terminalId"`
	Browser         browserBody   `json:"browserDetails"`
	Order           orderBody     `json:"orderDetails"`
	Return          string        `json:"threeDSNotificationUrl"`
	Method          string        `json:"paymentMethod"`
	KeyID           string        `json:"keyId"`
	Card            cardBody      `json:"cardData"`
	Customer        string        `json:"customerId"`
	SaveCard        bool          `json:"saveCard"`
	SkipThreeDS     bool          `json:"skipThreeDS"`
	MOTO            bool          `json:"moto"`
	Exemption       string        `json:"scaExemption"`
	Recurring       recurringBody `json:"recurring"`
}

type browserBody struct {
	Accept       loose  `json:"acceptHeader"`
	Language     loose  `json:"language"`
	ColorDepth   loose  `json:"colorDepth"`
	ScreenHeight loose  `json:"screenHeight"`
	ScreenWidth  loose  `json:"screenWidth"`
	TimeZone     loose  `json:"timeZone"`
	UserAgent    loose  `json:"userAgent"`
	JavaEnabled  loose  `json:"javaEnabled"`
	IP           string `json:"ip"`
}

type orderBody struct {
	Amount      jsontext.Value `json:"amount"`
	Currency    string         `json:"currency"`
	Reference   string         `json:"orderReference"`
	Description string         `json:"description"`
}

type cardBody struct {
	Number string `json:"encryptedCardNumber"`
	Month  string `json:"encryptedExpiryMonth"`
	Year   string `json:"encryptedExpiryYear"`
	CVV    string `json:"encryptedCvv"`
	Holder string `json:"encryptedCardholderName"`
	KeyID  string `json:"keyId"`
	Token  string `json:"tokenId"`
}

// recurringBody has both names of its type: that of direct payments and that of links.
type recurringBody struct {
	Type      string `json:"recurringType"`
	LinkType  string `json:"type"`
	Parent    string `json:"parentTransactionId"`
	Frequency int64  `json:"frequency"`
	Expiry    string `json:"expiry"`
}

// changeBody is the body of a capture, a cancel or a refund.
type changeBody struct {
	Amount      jsontext.Value `json:"amount"`
	Reference   string         `json:"orderReference"`
	Description string         `json:"description"`
}

// returnBody is the body of /v1/3ds/callback.
type returnBody struct {
	CRes    string `json:"cres"`
	Payment string `json:"transactionId"`
}

// loose is a text that some clients send as a number or a boolean; null is "".
type loose string

// UnmarshalJSON reads what clients send.
func (l *loose) UnmarshalJSON(raw []byte) error {
	switch value := jsontext.Value(raw); value.Kind() {
	case '"':
		text, _ := unquote(value)
		*l = loose(text)
	case '0', 't', 'f':
		*l = loose(raw)
	case 'n':
		*l = ""
	default:
		return errNotText
	}
	return nil
}

var errNotText = errors.New("not a text")

// into reads the body, one JSON object with each name once on every level, at most maxDepth deep, into a
// struct. An empty list (PHP's empty array) is an empty object wherever one is read, and so is no body at all
// where the route needs none.
func (c *call) into(to any) problem {
	raw := bytes.TrimSpace(c.body.buffer.Bytes())
	if c.route.Bare && len(raw) == 0 || emptyList(raw) {
		return problem{}
	}
	if tooDeep(raw) || len(raw) == 0 || raw[0] != '{' {
		return problem{reason: reject.BodyInvalid, source: "body"}
	}
	err := json.Unmarshal(raw, to, emptyLists)
	if wrong := new(json.SemanticError); errors.As(err, &wrong) {
		return problem{reason: reject.FieldInvalid, source: fieldPath(wrong.JSONPointer)}
	}
	if twice := new(jsontext.SyntacticError); errors.As(err, &twice) &&
		errors.Is(twice.Err, jsontext.ErrDuplicateName) {
		return problem{reason: reject.BodyInvalid, source: fieldPath(twice.JSONPointer)}
	}
	if err != nil {
		return problem{reason: reject.BodyInvalid, source: "body"}
	}
	return problem{}
}

// emptyLists reads an empty list as an empty object inside of a body.
var emptyLists = json.WithUnmarshalers(json.JoinUnmarshalers(
	json.UnmarshalFromFunc(skipEmptyList[browserBody]), json.UnmarshalFromFunc(skipEmptyList[orderBody]),
	json.UnmarshalFromFunc(skipEmptyList[cardBody]), json.UnmarshalFromFunc(skipEmptyList[recurringBody]),
))

func skipEmptyList[T any](d *jsontext.Decoder, _ *T) error {
	if d.PeekKind() != '[' {
		return errors.ErrUnsupported // for the decoder: read it as ever
	}
	raw, err := d.ReadValue()
	if err == nil && !emptyList(raw) {
		err = errNotObject
	}
	return err
}

var errNotObject = errors.New("not an object")

// wrong is a problem with a field, and what it must be.
func wrong(field, must string) problem {
	return problem{reason: reject.FieldInvalid, source: field, message: field + " must be " + must + "."}
}

// majorAmount reads an amount in major units, of an amount field by that path.
func majorAmount(raw jsontext.Value, field string, c money.Currency) (int64, problem) {
	minor, ok := int64(0), raw.Kind() == '0'
	if ok {
		minor, ok = money.ParseMajor(string(raw), c)
	}
	if !ok {
		return 0, problem{reason: reject.AmountInvalid, source: field,
			message: "amount must be a number in major units, written in digits, with no more decimals than " +
				string(c) + " has."}
	}
	return minor, problem{}
}

// sent reports whether a value was sent that is not null.
func isSent(raw jsontext.Value) bool { return len(raw) > 0 && raw.Kind() != 'n' }

// shortText checks a free text: valid UTF-8 without NUL, no more characters than most.
func shortText(text string, most int) bool {
	return len(text) <= most*utf8.UTFMax && utf8.ValidString(text) && utf8.RuneCountInString(text) <= most &&
		!strings.ContainsRune(text, 0)
}

// texts checks the free texts of a payment's body.
func (b *payBody) texts() problem {
	for _, field := range []struct {
		name, text string
		most       int
	}{
		{"terminalId", string(b.Terminal), maxTerm},
		{"browserDetails.acceptHeader", string(b.Browser.Accept), maxBrowser},
		{"browserDetails.language", string(b.Browser.Language), maxBrowser},
		{"browserDetails.colorDepth", string(b.Browser.ColorDepth), maxBrowser},
		{"browserDetails.screenHeight", string(b.Browser.ScreenHeight), maxBrowser},
		{"browserDetails.screenWidth", string(b.Browser.ScreenWidth), maxBrowser},
		{"browserDetails.timeZone", string(b.Browser.TimeZone), maxBrowser},
		{"browserDetails.userAgent", string(b.Browser.UserAgent), maxBrowser},
		{"orderDetails.description", b.Order.Description, maxPayText},
	} {
		if !shortText(field.text, field.most) {
			return wrong(field.name, "a text that is not too long")
		}
	}
	if b.Browser.IP != "" {
		if _, err := netip.ParseAddr(b.Browser.IP); err != nil {
			return wrong("browserDetails.ip", "an IP address")
		}
	}
	if b.Order.Reference != "" && !validReference(b.Order.Reference) {
		return problem{reason: reject.OrderReferenceInvalid, source: "orderDetails.orderReference"}
	}
	return problem{}
}

// pageURL reports whether a text is the address of a page that a browser may be sent to: https, or in a
// sandbox also http; at most so many characters.
func (a *API) pageURL(text string, most int) bool {
	u, err := url.Parse(text)
	return err == nil && len(text) <= most && u.Host != "" && u.User == nil &&
		(u.Scheme == "https" || u.Scheme == "http" && a.dial != nil)
}

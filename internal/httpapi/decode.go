package httpapi

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"plexy/internal/core/money"
	"plexy/internal/core/reject"
	"plexy/internal/customer"
)

// The seed's fields, in the seed's order: errors are looked for in this order.
const (
	fieldAmount = iota
	fieldPhone
	fieldIIN
	fieldReference
	fieldCurrency
	fieldCount
)

var fieldNames = [fieldCount]string{"amount", "phoneNumber", "iin", "orderReference", "currency"}

// maxReference is the longest order reference, in characters.
const maxReference = 255

// fields are the seed's fields of a body as they were sent: raw JSON values that point into the body. A
// field that was not sent is nil.
type fields [fieldCount]jsontext.Value

// span is where a value lies in the body.
type span struct{ from, to int64 }

// fields walks over the body: it must be exactly one JSON object, valid UTF-8, each name once on every
// level, at most maxDepth deep. Names match letter for letter; other names are skipped, values and all.
func (b *body) fields() (fields, problem) {
	var (
		found [fieldCount]span
		raw   = b.buffer.Bytes()
		d     = &b.decoder
	)
	d.Reset(&b.buffer)
	if tooDeep(raw) || d.PeekKind() != '{' {
		return fields{}, problem{reason: reject.BodyInvalid, source: "body"}
	}
	if _, err := d.ReadToken(); err != nil {
		return fields{}, invalid(err)
	}
	for d.PeekKind() != '}' {
		name, err := d.ReadValue()
		if err != nil {
			return fields{}, invalid(err)
		}
		field := fieldOf(name)
		value, err := d.ReadValue()
		if err != nil {
			return fields{}, invalid(err)
		}
		if field < fieldCount {
			end := d.InputOffset()
			found[field] = span{end - int64(len(value)), end}
		}
	}
	if _, err := d.ReadToken(); err != nil {
		return fields{}, invalid(err)
	}
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		return fields{}, problem{reason: reject.BodyInvalid, source: "body"}
	}
	var all fields
	for i, s := range found {
		if s.to > 0 {
			all[i] = raw[s.from:s.to]
		}
	}
	return all, problem{}
}

// tooDeep reports whether brackets outside of strings nest deeper than maxDepth. The decoder has no such
// limit to set, and unknown fields are walked over by it. What is not JSON is its business.
func tooDeep(raw []byte) bool {
	if bytes.Count(raw, []byte{'{'})+bytes.Count(raw, []byte{'['}) <= maxDepth {
		return false // nearly every body: no need to tell which brackets are in strings
	}
	depth, inString := 0, false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case inString && c == '\\':
			i++ // whatever it is, it does not end the string
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}

// fieldOf finds a quoted name among the seed's; fieldCount when it is another.
func fieldOf(quoted jsontext.Value) int {
	name, ok := unquote(quoted)
	if !ok {
		return fieldCount
	}
	for i, known := range fieldNames {
		if string(name) == known {
			return i
		}
	}
	return fieldCount
}

// invalid says what the walk stumbled over: a field of the seed's that came twice is named.
func invalid(err error) problem {
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) && errors.Is(syntax.Err, jsontext.ErrDuplicateName) {
		for _, known := range fieldNames {
			if syntax.JSONPointer == jsontext.Pointer("/"+known) {
				return problem{reason: reject.BodyInvalid, source: known}
			}
		}
	}
	return problem{reason: reject.BodyInvalid, source: "body"}
}

// amount reads a number of minor units: a JSON number written in digits only, from 1 to the largest int64.
// Fractions, exponents (also 1e2 and 1.0), strings and everything else are refused.
func (f *fields) amount() (int64, problem) {
	minor, ok := parseDigits(f[fieldAmount])
	if !ok || minor == 0 {
		return 0, problem{reason: reject.AmountInvalid, source: "amount"}
	}
	return minor, problem{}
}

// parseDigits reads one to 19 ASCII digits that fit an int64.
func parseDigits[Text ~[]byte | ~string](text Text) (int64, bool) {
	if len(text) == 0 || len(text) > 19 {
		return 0, false
	}
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return 0, false
		}
	}
	n, err := strconv.ParseInt(string(text), 10, 64)
	return n, err == nil
}

// order is an authorize as it was understood.
type order struct {
	amount    int64 // minor units
	phone     customer.Phone
	iin       customer.IIN
	reference string
	currency  money.Currency
}

// order reads the five fields of authorize. The first that is wrong, in the seed's order, is the problem.
func (f *fields) order() (o order, p problem) {
	if o.amount, p = f.amount(); p.reason != "" {
		return order{}, p
	}
	number, _ := f.text(fieldPhone)
	phone, err := customer.ParsePhone(number)
	if err != nil {
		return order{}, problem{reason: reject.PhoneInvalid, source: "phoneNumber"}
	}
	digits, _ := f.text(fieldIIN)
	iin, err := customer.ParseIIN(digits)
	if err != nil {
		return order{}, problem{reason: reject.IINInvalid, source: "iin"}
	}
	reference, ok := f.text(fieldReference)
	if !ok || !validReference(reference) {
		return order{}, problem{reason: reject.OrderReferenceInvalid, source: "orderReference"}
	}
	code, _ := f.text(fieldCurrency)
	currency, ok := money.Lookup(code)
	if !ok {
		return order{}, problem{reason: reject.CurrencyInvalid, source: "currency"}
	}
	return order{amount: o.amount, phone: phone, iin: iin, reference: reference, currency: currency}, problem{}
}

// text reads a JSON string; it answers false, and "", for what is not one.
func (f *fields) text(field int) (string, bool) {
	text, ok := unquote(f[field])
	return string(text), ok
}

// unquote returns what a JSON string says; false for what is not one. The decoder has checked the value, so
// without a backslash it is what stands between the quotes. The bytes may be the body's.
func unquote(raw jsontext.Value) ([]byte, bool) {
	if len(raw) < 2 || raw[0] != '"' {
		return nil, false
	}
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw[1 : len(raw)-1], true
	}
	text, err := jsontext.AppendUnquote(nil, raw)
	return text, err == nil
}

// validReference checks an order reference: 1 to 255 characters, no control characters (NUL, newline,
// DEL and the like), which logs, exports and databases trip over.
func validReference(text string) bool {
	if text == "" || len(text) > maxReference*utf8.UTFMax || utf8.RuneCountInString(text) > maxReference ||
		!utf8.ValidString(text) {
		return false
	}
	for _, r := range text {
		if unicode.IsControl(r) {
			return false
		}
	}
	return true
}

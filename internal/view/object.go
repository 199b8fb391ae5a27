package view

import (
	"strconv"

	"plexy/internal/core/money"
)

// Object writes a JSON object member by member. Begin it with NewObject and take it with End. Names need no
// escaping.
type Object struct{ b []byte }

// NewObject begins an object at the end of b.
func NewObject(b []byte) Object { return Object{append(b, '{')} }

// End returns what was written, with the closing brace.
func (o *Object) End() []byte { return append(o.b, '}') }

// name writes the name of a member, whose value comes next.
func (o *Object) name(name string) {
	if o.b[len(o.b)-1] != '{' {
		o.b = append(o.b, ',')
	}
	o.b = append(append(append(o.b, '"'), name...), '"', ':')
}

// Value writes a member whose value write appends.
func (o *Object) Value(name string, write func(b []byte) []byte) {
	o.name(name)
	o.b = write(o.b)
}

// Text writes a text, and nothing at all for "".
func (o *Object) Text(name, text string) {
	if text != "" {
		o.Always(name, text)
	}
}

// Always writes a text, also "".
func (o *Object) Always(name, text string) {
	o.name(name)
	o.b = Text(o.b, text)
}

// Truth writes true or false.
func (o *Object) Truth(name string, is bool) {
	o.name(name)
	o.b = strconv.AppendBool(o.b, is)
}

// Number writes a whole number.
func (o *Object) Number(name string, n int64) {
	o.name(name)
	o.b = strconv.AppendInt(o.b, n, 10)
}

// Major writes an amount of minor units in major ones, exactly.
func (o *Object) Major(name string, minor int64, c money.Currency) {
	o.name(name)
	o.b = money.AppendMajor(o.b, minor, c)
}

// Time writes a time in TimeLayout, and nothing at all for 0.
func (o *Object) Time(name string, at int64) {
	if at != 0 {
		o.name(name)
		o.b = Time(append(o.b, '"'), "", at)
	}
}

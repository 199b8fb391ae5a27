package httpapi

import (
	"github.com/go-json-experiment/json/jsontext"

	"plexy/internal/core/reject"
	"plexy/internal/event"
)

// take puts what was sent of an endpoint's settings into it.
func (a *API) take(m members, e *event.Endpoint) problem {
	if raw, sent := m["url"]; sent {
		text, ok := stringOf(raw)
		if !ok {
			return problem{reason: reject.URLInvalid, source: "url"}
		}
		if err := a.options.CheckURL(text); err != nil {
			return problem{reason: reject.URLInvalid, source: "url", message: "url " + plain(err.Error()) + "."}
		}
		e.URL = text
	}
	for _, field := range endpointFields {
		if raw, sent := m[field.name]; sent && !field.take(raw, e) {
			return problem{reason: field.invalid, source: field.name, message: field.message}
		}
	}
	return problem{}
}

// endpointFields are what can be sent of an endpoint besides its address, each with how it is taken: false
// when it is not what it must be. The order is that in which they are looked at.
var endpointFields = []struct {
	name    string
	invalid reject.Reason
	message string // "": the reason's own
	take    func(jsontext.Value, *event.Endpoint) bool
}{
	{"eventTypes", reject.EventTypesInvalid, "", takeTypes},
	{"ordered", reject.OrderedInvalid, "", func(raw jsontext.Value, e *event.Endpoint) bool {
		return takeBool(raw, &e.Ordered)
	}},
	{"signatures", reject.SignaturesInvalid, "", takeSignatures},
	{"retrySchedule", reject.RetryScheduleInvalid, "", takeWaits},
	{"maxConcurrency", reject.MaxConcurrencyInvalid, "", takeConcurrency},
	{"apiVersion", reject.APIVersionInvalid, "apiVersion must be one of these: " + event.VersionTexts() + ".",
		takeVersion},
	{"thin", reject.ThinInvalid, "", func(raw jsontext.Value, e *event.Endpoint) bool {
		return takeBool(raw, &e.Form.Thin)
	}},
	{"state", reject.StateInvalid, "state must be enabled or disabled.", takeState},
}

func takeTypes(raw jsontext.Value, e *event.Endpoint) bool {
	types, ok := stringsOf(raw, len(event.Kinds()))
	for _, name := range types {
		ok = ok && event.Known(name)
	}
	e.Types = types
	return ok
}

func takeBool(raw jsontext.Value, to *bool) bool {
	*to = string(raw) == "true"
	return *to || string(raw) == "false"
}

func takeSignatures(raw jsontext.Value, e *event.Endpoint) (ok bool) {
	names, some := stringsOf(raw, len(raw))
	e.Signatures, ok = event.ParseSignatures(names)
	return ok && some
}

// takeWaits reads a schedule; null is the installation's.
func takeWaits(raw jsontext.Value, e *event.Endpoint) (ok bool) {
	if string(raw) == "null" {
		e.Waits = nil
		return true
	}
	texts, some := stringsOf(raw, event.MaxWaits)
	e.Waits, ok = event.ParseWaits(texts)
	return ok && some
}

func takeConcurrency(raw jsontext.Value, e *event.Endpoint) bool {
	n, ok := wholeNumber(string(raw), event.MaxConcurrency)
	e.Concurrency = int(n)
	return ok && n > 0
}

func takeVersion(raw jsontext.Value, e *event.Endpoint) (known bool) {
	text, ok := stringOf(raw)
	e.Form.Version, known = event.ParseVersion(text)
	return ok && known
}

func takeState(raw jsontext.Value, e *event.Endpoint) bool {
	text, _ := stringOf(raw)
	state := event.EndpointState(text)
	if state != event.Enabled && state != event.Disabled {
		return false
	}
	if e.State != state {
		e.State, e.Why = state, ""
		if state == event.Disabled {
			e.Why = "by the merchant"
		}
	}
	return true
}

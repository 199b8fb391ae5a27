package httpapi

import (
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"plexy/internal/core/reject"
	"plexy/internal/event"
	"plexy/internal/view"
)

// members are those of a small JSON object, as they were sent.
type members map[string]jsontext.Value

// members reads a body that is one JSON object with each name once, at most maxDepth deep. No body at all is
// an empty object.
func (b *body) members() (members, problem) { return membersOf(b.buffer.Bytes()) }

func membersOf(raw []byte) (members, problem) {
	m := members{}
	if len(raw) == 0 {
		return m, problem{}
	}
	if tooDeep(raw) || json.Unmarshal(raw, &m) != nil || m == nil {
		return nil, problem{reason: reject.BodyInvalid, source: "body"}
	}
	return m, problem{}
}

// any reports whether one of the names was sent.
func (m members) any(names ...string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return m[name] != nil })
}

func stringOf(raw jsontext.Value) (string, bool) {
	var text string
	return text, raw.Kind() == '"' && json.Unmarshal(raw, &text) == nil
}

// stringsOf reads a list of so many texts at most; null is none.
func stringsOf(raw jsontext.Value, most int) ([]string, bool) {
	var texts []string
	err := json.Unmarshal(raw, &texts)
	return texts, err == nil && len(texts) <= most
}

// plain takes out of a message what would have to be escaped in JSON.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == '"' || r == '\\' || r > '~' {
			return '\''
		}
		return r
	}, text)
}

// appendEndpoint writes an endpoint without what is secret.
func (a *API) appendEndpoint(b []byte, e *event.Endpoint) []byte {
	b = append(b, `{"id":"`...)
	b = append(b, e.ID...)
	b = view.Text(append(b, `","url":`...), e.URL)
	b = appendNames(append(b, `,"eventTypes":`...), e.Types)
	b = append(b, `,"ordered":`...)
	b = strconv.AppendBool(b, e.Ordered)
	b = appendNames(append(b, `,"signatures":`...), event.SignatureNames(e.Signatures))
	if key := a.options.Webhooks.PublicKey(e); key == "" {
		b = append(b, `,"publicKey":null`...)
	} else {
		b = append(append(append(b, `,"publicKey":"`...), key...), '"')
	}
	if len(e.Waits) == 0 {
		b = append(b, `,"retrySchedule":null`...)
	} else {
		b = appendNames(append(b, `,"retrySchedule":`...), event.WaitTexts(e.Waits))
	}
	b = view.Minor(b, `,"maxConcurrency":`, int64(e.Concurrency))
	b = append(append(b, `,"apiVersion":"`...), event.VersionText(e.Form.Version)...)
	b = strconv.AppendBool(append(b, `","thin":`...), e.Form.Thin)
	b = append(b, `,"state":"`...)
	b = append(b, e.State...)
	b = append(b, `","stateReason":`...)
	if e.Why == "" {
		b = append(b, `null`...)
	} else {
		b = view.Text(b, e.Why)
	}
	b = appendMaybe(b, `,"failingSince":`, e.FailingSince)
	b = appendMaybe(b, `,"previousSecretUntil":`, e.PreviousUntil)
	b = view.Time(b, `,"createdAt":"`, e.CreatedAt)
	return append(view.Time(b, `,"updatedAt":"`, e.UpdatedAt), '}')
}

// appendNames writes a list of texts that need no escapes.
func appendNames(b []byte, names []string) []byte {
	b = append(b, '[')
	for i, name := range names {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(append(b, '"'), name...), '"')
	}
	return append(b, ']')
}

// appendMaybe writes a time, or null for 0.
func appendMaybe(b []byte, name string, at int64) []byte {
	if at == 0 {
		return append(append(b, name...), `null`...)
	}
	return view.Time(append(append(b, name...), '"'), "", at)
}

// appendToken adds the token to a rendered endpoint.
func (a *API) appendToken(b []byte, e *event.Endpoint) []byte {
	b = append(b[:len(b)-1], `,"token":"`...)
	b = append(b, a.options.Webhooks.Token(e.ID, e.Token).Reveal()...)
	return append(b, `"}`...)
}

// appendSecret adds the newest secret to a rendered endpoint.
func (a *API) appendSecret(b []byte, e *event.Endpoint) []byte {
	b = append(b[:len(b)-1], `,"secret":"`...)
	b = append(b, a.options.Webhooks.Secret(e.ID, e.Secret).Reveal()...)
	return append(b, `"}`...)
}

// appendDelivery writes a delivery without its closing brace.
func appendDelivery(b []byte, d *event.Delivery) []byte {
	b = append(b, `{"id":"`...)
	b = append(b, d.ID...)
	if d.Object == "" {
		b = append(b, `","eventId":null,"eventNumber":null,"isTest":true,"eventName":"`...)
	} else {
		b = append(b, `","eventId":"`...)
		b = append(b, event.ID(d.Object, d.Sequence)...)
		b = view.Minor(b, `","eventNumber":`, d.Number)
		b = append(b, `,"isTest":false,"eventName":"`...)
	}
	b = append(b, d.Name...)
	b = append(b, `","state":"`...)
	b = append(b, d.State...)
	b = view.Minor(b, `","attempts":`, int64(d.Attempts))
	next := d.DueAt
	if d.State != event.Waiting {
		next = 0
	}
	b = appendMaybe(b, `,"nextAttemptAt":`, next)
	b = strconv.AppendBool(append(b, `,"isReplay":`...), d.Replay)
	b = strconv.AppendBool(append(b, `,"outOfOrder":`...), d.OutOfOrder)
	b = view.Time(b, `,"createdAt":"`, d.CreatedAt)
	b = view.Time(b, `,"updatedAt":"`, d.UpdatedAt)
	if d.URL != "" {
		b = view.Text(append(b, `,"url":`...), d.URL)
	}
	return b
}

// appendAttempts ends a delivery with its attempts. What the receiver said is for staff only.
func appendAttempts(b []byte, attempts []event.Attempt) []byte {
	b = append(b, `,"attemptList":[`...)
	for i, a := range attempts {
		if i > 0 {
			b = append(b, ',')
		}
		b = view.Minor(b, `{"number":`, int64(a.Number))
		b = view.Time(b, `,"at":"`, a.At)
		b = view.Minor(b, `,"durationMillis":`, a.Micros/1000)
		if a.Status == 0 {
			b = append(b, `,"status":null`...)
		} else {
			b = view.Minor(b, `,"status":`, int64(a.Status))
		}
		if a.Error == "" {
			b = append(b, `,"error":null}`...)
		} else {
			b = append(view.Text(append(b, `,"error":`...), a.Error), '}')
		}
	}
	return append(b, `]}`...)
}

func appendReplayed(b []byte, n int, last int64, more bool) []byte {
	b = view.Minor(b, `{"replayed":`, int64(n))
	if !more {
		return append(b, `,"nextFrom":null}`...)
	}
	return append(view.Minor(b, `,"nextFrom":`, last+1), '}')
}

package httpapi

import (
	"hash/fnv"
	"net/url"
	"strconv"
	"strings"
	"time"

	"plexy/internal/core/reject"
	"plexy/internal/core/wallet"
	"plexy/internal/storage"
)

// Bounds of the list's limit parameter.
const (
	defaultLimit = 20
	maxLimit     = 100
)

// listQuery is an understood query of the list.
type listQuery struct {
	page    storage.Query // without the merchant
	filters uint64        // digest of the filters, by which a cursor knows its list
}

// parameters of the list, in the order in which they are checked.
const (
	paramLimit = iota
	paramCursor
	paramReference
	paramStatus
	paramFrom
	paramTo
	paramCount
)

var parameters = [paramCount]struct {
	name   string
	reason reject.Reason
}{
	{"limit", reject.LimitInvalid},
	{"cursor", reject.CursorInvalid},
	{"orderReference", reject.OrderReferenceInvalid},
	{"status", reject.StatusInvalid},
	{"createdFrom", reject.CreatedFromInvalid},
	{"createdTo", reject.CreatedToInvalid},
}

// sent is one parameter as it was sent.
type sent struct {
	value string
	there bool
}

// parseQuery reads the list's parameters. One that is sent twice or does not mean anything is refused by
// name; names that are not ours are ignored.
func parseQuery(raw string) (listQuery, problem) {
	values, at := splitQuery(raw)
	q := listQuery{page: storage.Query{Limit: defaultLimit}}
	wrong := [paramCount]bool{}
	if at < paramCount {
		wrong[at] = true
	}
	for i, s := range values {
		if s.there && !wrong[i] && i != paramCursor {
			wrong[i] = !q.set(i, s.value)
		}
	}
	q.filters = q.digest()
	if s := values[paramCursor]; s.there && !wrong[paramCursor] {
		wrong[paramCursor] = !q.resume(s.value)
	}
	for i, w := range wrong {
		if w {
			return listQuery{}, problem{reason: parameters[i].reason, source: parameters[i].name}
		}
	}
	return q, problem{}
}

// splitQuery finds our parameters. bad is the first that is sent twice or badly escaped, paramCount if none.
func splitQuery(raw string) (values [paramCount]sent, bad int) {
	bad = paramCount
	for raw != "" {
		var pair string
		pair, raw, _ = strings.Cut(raw, "&")
		name, value, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(name)
		if err != nil {
			continue // no name of ours
		}
		for i, p := range parameters {
			if name != p.name {
				continue
			}
			value, err := url.QueryUnescape(value)
			if err != nil || values[i].there {
				bad = min(bad, i)
			}
			values[i] = sent{value, true}
		}
	}
	return values, bad
}

// set takes one parameter and reports whether it meant something.
func (q *listQuery) set(parameter int, value string) (ok bool) {
	switch parameter {
	case paramLimit:
		limit, ok := parseDigits(value)
		if !ok || limit < 1 || limit > maxLimit || strconv.FormatInt(limit, 10) != value {
			return false
		}
		q.page.Limit = int(limit)
	case paramReference:
		q.page.OrderReference = value
		return validReference(value)
	case paramStatus:
		q.page.Status = wallet.Status(value)
		switch q.page.Status {
		case wallet.New, wallet.Processing, wallet.Success, wallet.Failed:
			return true
		}
		return false
	case paramFrom:
		q.page.CreatedFrom, ok = parseTime(value)
		return ok
	case paramTo:
		q.page.CreatedTo, ok = parseTime(value)
		q.page.CreatedTo = max(q.page.CreatedTo, 1) // 0 would be "no bound"; nothing is as old as that
		return ok
	}
	return true
}

// parseTime reads RFC 3339 and returns microseconds, rounded up: "from t" and "before t" then mean the same
// set of stored times as with t itself. A plus that was sent unescaped arrives as a space; no valid time
// has one. The library also takes a decimal comma, which RFC 3339 does not know.
func parseTime(text string) (int64, bool) {
	var t time.Time
	if strings.Contains(text, ",") {
		return 0, false
	}
	if err := t.UnmarshalText([]byte(strings.Replace(text, " ", "+", 1))); err != nil {
		return 0, false
	}
	at := t.UnixMicro()
	if t.Nanosecond()%1000 != 0 {
		at++
	}
	return at, true
}

// digest tells lists apart. It is no secret and protects nothing: it finds a client's mistake of changing
// the filters between two pages.
func (q *listQuery) digest() uint64 {
	h := fnv.New64a()
	for _, part := range []string{
		q.page.OrderReference, string(q.page.Status),
		strconv.FormatInt(q.page.CreatedFrom, 10), strconv.FormatInt(q.page.CreatedTo, 10),
	} {
		h.Write([]byte(part))
		h.Write([]byte{0}) // no part contains it
	}
	return h.Sum64()
}

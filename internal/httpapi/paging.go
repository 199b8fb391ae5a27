package httpapi

import (
	"net/url"
	"slices"
	"strconv"

	"plexy/internal/core/reject"
	"plexy/internal/view"
)

const (
	defaultSize, maxSize = 20, 100
	// maxPage bounds a page of a list that is counted, where it costs the same however far down it is.
	maxPage = 1_000_000_000
)

// page is a page of a list as Plexy's v1 pages lists: numbered from 1.
type page struct{ number, size int }

func (p page) offset() int { return (p.number - 1) * p.size }

// pageOf reads page and size. A page that begins beyond farthest entries is refused; 0 is no such bound.
func pageOf(values url.Values, farthest int) (page, problem) {
	p := page{1, defaultSize}
	for _, parameter := range []struct {
		name   string
		to     *int
		most   int64
		reason reject.Reason
	}{
		{"page", &p.number, maxPage, reject.PageInvalid}, {"size", &p.size, maxSize, reject.SizeInvalid},
	} {
		sent := values[parameter.name]
		if len(sent) == 0 {
			continue
		}
		n, ok := wholeNumber(sent[0], parameter.most)
		if *parameter.to = int(n); !ok || n < 1 || len(sent) > 1 {
			return page{}, problem{reason: parameter.reason, source: parameter.name}
		}
	}
	if farthest > 0 && p.offset() > farthest {
		return page{}, problem{reason: reject.PageInvalid, source: "page",
			message: "This list can be read up to entry " + strconv.Itoa(farthest) + "."}
	}
	return p, problem{}
}

// query reads the parameters of a request; one that is badly escaped is left out.
func (c *call) query() url.Values {
	values, _ := url.ParseQuery(c.request.URL.RawQuery)
	return values
}

// appendPage writes a list: {"data":[…],"page":…,"size":…,"total":…}.
func appendPage[T any](p page, total int64, found []T, add func([]byte, *T) []byte) []byte {
	b := []byte(`{"data":[`)
	for i := range found {
		if i > 0 {
			b = append(b, ',')
		}
		if i == 1 { // the others are about as long as the first
			b = slices.Grow(b, len(b)*(len(found)-1)+64)
		}
		b = add(b, &found[i])
	}
	b = view.Minor(b, `],"page":`, int64(p.number))
	b = view.Minor(b, `,"size":`, int64(p.size))
	return append(view.Minor(b, `,"total":`, total), '}')
}

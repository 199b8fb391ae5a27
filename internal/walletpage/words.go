package walletpage

import (
	"strconv"
	"strings"

	"plexy/internal/web"
)

// What the templates say with more than one text.

// wrong is the sentence about what is wrong, "" for nothing.
func (e entry) wrong(f *web.Frame) string {
	switch {
	case e.Wrong == "":
		return ""
	case e.Left > 0:
		return f.T(e.Wrong, "left", strconv.Itoa(e.Left))
	}
	return f.T(e.Wrong)
}

func (e entry) faults(f *web.Frame, field string) []web.Fault {
	if e.Wrong == "" {
		return nil
	}
	return []web.Fault{{Field: field, Text: e.wrong(f)}}
}

func (f filters) faults(frame *web.Frame) (found []web.Fault) {
	if f.WrongFrom {
		found = append(found, web.Fault{Field: "from", Text: frame.T("day.wrong")})
	}
	if f.WrongTo {
		found = append(found, web.Fault{Field: "to", Text: frame.T("day.wrong")})
	}
	return found
}

// titled is a page's title; one with something wrong says so first, because it is read out first.
func titled(f *web.Frame, key string, wrong bool) string {
	if wrong {
		return f.T("error") + " " + f.T(key)
	}
	return f.T(key)
}

func fieldClass(wrong bool) string {
	if wrong {
		return "field wrong"
	}
	return "field"
}

// described names what explains a field: its hint, and what is wrong with it.
func described(field string, wrong bool) string {
	if wrong {
		return field + "-hint " + field + "-error"
	}
	return field + "-hint"
}

// signed is the amount with its direction in front.
func (l line) signed(f *web.Frame) string {
	if l.Sign > 0 {
		return "+" + f.Amount(l.Amount, l.Currency)
	}
	return f.Amount(l.Signed(), l.Currency)
}

func (l line) class() string {
	if l.Sign > 0 {
		return "sum amount in"
	}
	return "sum amount"
}

// details are when, with whom and for what.
func (l line) details(f *web.Frame) string {
	parts := []string{f.Time(l.At)}
	for _, part := range []string{l.Merchant, l.Order} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, " · ")
}

package walletpage

import (
	"bytes"
	"encoding/csv"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"plexy/internal/core/journal"
	"plexy/internal/core/money"
	"plexy/internal/core/wallet"
	"plexy/internal/locale"
	"plexy/internal/storage"
	"plexy/internal/view"
	"plexy/internal/web"
)

// Bounds of a statement.
const (
	pageLines = 25
	// pageSpan is how many records one page looks at: a search that finds nothing goes on by a link.
	pageSpan  = 2000
	fileLines = 10_000
	maxSearch = 100 // characters
	// drift is how much the clocks of two processes may differ, so that records are not quite in order:
	// microseconds.
	drift = 60 * 1_000_000
)

// filters are what a statement is narrowed to.
type filters struct {
	Search, From, To string // as typed; From and To are days, both inclusive
	from, to         int64  // microseconds, to exclusive; 0 for none
	WrongFrom        bool
	WrongTo          bool
}

// statement is what the page shows.
type statement struct {
	Filters filters
	Wallet  string
	Wallets []wallet.Wallet // to choose from, when there are several
	Lines   []line
	CSV     string // address of the file with the same filters
	Older   string // address of the next page, "" on the last
	Newest  string // address of the first page, "" on it
}

// parseFilters reads the address. A day that is none is named and narrows nothing.
func parseFilters(q url.Values) filters {
	f := filters{Search: strings.TrimSpace(q.Get("q")), From: q.Get("from"), To: q.Get("to")}
	if utf8.RuneCountInString(f.Search) > maxSearch {
		f.Search = string([]rune(f.Search)[:maxSearch])
	}
	day := func(text string, wrong *bool) time.Time {
		if text == "" {
			return time.Time{}
		}
		t, err := time.ParseInLocation(time.DateOnly, text, locale.Kazakhstan)
		*wrong = err != nil
		return t
	}
	if t := day(f.From, &f.WrongFrom); !t.IsZero() {
		f.from = t.UnixMicro()
	}
	if t := day(f.To, &f.WrongTo); !t.IsZero() {
		f.to = t.AddDate(0, 0, 1).UnixMicro()
	}
	return f
}

// matches reports whether the line has what was searched for: in a name, an order, an id or its amount.
func (f filters) matches(l line) bool {
	if f.Search == "" {
		return true
	}
	want := strings.ToLower(f.Search)
	amount := string(money.AppendDecimal(nil, l.Amount, l.Currency))
	plain := strings.NewReplacer(" ", "", "\u00a0", "", "\u202f", "", ",", ".").Replace(want)
	return strings.Contains(strings.ToLower(l.Merchant), want) ||
		strings.Contains(strings.ToLower(l.Order), want) || strings.Contains(strings.ToLower(l.ID), want) ||
		plain != "" && strings.HasPrefix(amount, plain)
}

// errForeign says that a record of the asked-for address is not the wallet's.
var errForeign = errors.New("a record of another wallet")

// stretch is a part of a wallet's chain: from a record on, at most span of them, and at most lines of those
// that match.
type stretch struct {
	wallet      string
	from        journal.Ref
	lines, span int
}

// collect returns the lines of the stretch that match. next is where to go on.
func (d *Door) collect(v *visit, f filters, s stretch) (lines []line, next journal.Ref, err error) {
	names, seen := d.names(v), 0
	next, err = storage.Statement(v.ctx, d.options.Reader, s.from, func(r journal.Record) (bool, error) {
		if r.Wallet != s.wallet {
			return false, errForeign
		}
		if seen++; f.from != 0 && r.At < f.from-drift {
			return false, errPast
		}
		if (f.to == 0 || r.At < f.to) && r.At >= f.from {
			l, err := names.line(r)
			if err != nil {
				return false, err
			}
			if f.matches(l) {
				lines = append(lines, l)
			}
		}
		return len(lines) < s.lines && seen < s.span, nil
	})
	if errors.Is(err, errPast) {
		return lines, journal.Ref{}, nil
	}
	return lines, next, err
}

// errPast ends a walk at a record that is older than anything that was asked for.
var errPast = errors.New("older than asked for")

// statement is the page.
func (d *Door) statement(v *visit) {
	if !d.require(v) {
		return
	}
	q := v.Request.URL.Query()
	w, ok := v.find(q.Get("wallet"))
	if !ok {
		d.pages.Sorry(v.Visit, http.StatusNotFound, "missing", Path)
		return
	}
	from, first := w.Last, true
	if before := q.Get("before"); before != "" {
		from, first = parseRef(before), false
	}
	f := parseFilters(q)
	lines, next, err := d.collect(v, f, stretch{w.ID, from, pageLines, pageSpan})
	if errors.Is(err, errForeign) || errors.Is(err, storage.ErrNotFound) {
		d.pages.Sorry(v.Visit, http.StatusNotFound, "missing", Path)
		return
	}
	if err != nil {
		d.trouble(v, err)
		return
	}
	s := statement{Filters: f, Wallet: w.ID, Lines: lines, CSV: f.address(csvPath, w.ID, journal.Ref{})}
	if len(v.wallets) > 1 {
		s.Wallets = v.wallets
	}
	if next.Object != "" {
		s.Older = f.address(statementPath, w.ID, next)
	}
	if !first {
		s.Newest = f.address(statementPath, w.ID, journal.Ref{})
	}
	status := http.StatusOK
	if f.WrongFrom || f.WrongTo {
		status = http.StatusUnprocessableEntity
	}
	d.pages.Show(v.Visit, status, func(frame *web.Frame) web.Page {
		title := titled(frame, "statement.title", status != http.StatusOK)
		return web.Page{Title: title, Home: Path, Main: statementPage(frame, s)}
	})
}

// address is a page of the statement with the same filters.
func (f filters) address(path, walletID string, before journal.Ref) string {
	q := url.Values{"wallet": {walletID}}
	for name, value := range map[string]string{"q": f.Search, "from": f.From, "to": f.To} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if before.Object != "" {
		q.Set("before", before.Object+"."+strconv.FormatInt(before.Sequence, 10))
	}
	return path + "?" + q.Encode()
}

// parseRef reads what address wrote; what it did not write names no record.
func parseRef(text string) journal.Ref {
	object, sequence, _ := strings.Cut(text, ".")
	n, err := strconv.ParseInt(sequence, 10, 64)
	if err != nil {
		return journal.Ref{Object: "none"}
	}
	return journal.Ref{Object: object, Sequence: n}
}

// statementCSV is the file: the lines of the page's filters, from the newest, at most fileLines.
func (d *Door) statementCSV(v *visit) {
	if !d.require(v) {
		return
	}
	q := v.Request.URL.Query()
	w, ok := v.find(q.Get("wallet"))
	f := parseFilters(q)
	if !ok || f.WrongFrom || f.WrongTo {
		d.pages.Sorry(v.Visit, http.StatusNotFound, "missing", Path)
		return
	}
	lines, _, err := d.collect(v, f, stretch{w.ID, w.Last, fileLines, fileLines})
	if err != nil {
		d.trouble(v, err)
		return
	}
	file, err := d.csv(v, lines)
	if err != nil {
		d.trouble(v, err)
		return
	}
	name := "statement-" + string(w.Account.Currency) + "-" +
		time.UnixMicro(d.options.Clock.Now()).In(locale.Kazakhstan).Format(time.DateOnly) + ".csv"
	v.File(name, "text/csv; charset=utf-8", file)
}

// csv writes lines as a spreadsheet reads them.
func (d *Door) csv(v *visit, lines []line) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString("\ufeff") // without it a spreadsheet takes Cyrillic for something else
	w := csv.NewWriter(&b)
	w.UseCRLF = true
	f, err := d.pages.Frame(v.Visit)
	if err != nil {
		return nil, err
	}
	header := []string{"time", "operation", "merchant", "order", "amount", "currency", "available", "held", "id"}
	for i, key := range header {
		header[i] = f.T("csv." + key)
	}
	_ = w.Write(header) // into memory
	for _, l := range lines {
		decimal := func(minor int64) string { return string(money.AppendDecimal(nil, minor, l.Currency)) }
		_ = w.Write([]string{
			time.UnixMicro(l.At).In(locale.Kazakhstan).Format(time.DateTime), f.T(l.Event), view.Harmless(l.Merchant),
			view.Harmless(l.Order), decimal(l.Signed()), string(l.Currency), decimal(l.Available), decimal(l.Pending),
			l.ID,
		})
	}
	w.Flush()
	return b.Bytes(), nil
}

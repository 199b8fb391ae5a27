package verify

import (
	"fmt"
	"io"
	"strings"
)

// Rule is one thing that is checked.
type Rule int

// The rules, in the order in which they are reported.
const (
	Balance Rule = iota
	Totals
	Running
	Statement
	Floor
	Counters
	History
	Operations
	Sequences
	Expiry
	Keys
	References
	Places
	Links
	rules // how many there are
)

// rule names the invariants of docs/rules.md that a rule covers, and says it to a person.
var ruleTable = [rules]struct{ covers, counts, text string }{
	Balance:   {"V1", "currencies", "debits equal credits, what is pending and what is posted apart"},
	Totals:    {"V6", "accounts", "totals and version are the sums of the account's entries"},
	Running:   {"V6", "balances", "running balances follow one another without a gap"},
	Statement: {"V6", "wallets", "the statement names every entry of the wallet once, in order"},
	Floor:     {"V5", "balances", "no wallet is below zero, now or after any entry; no account owes holds"},
	Counters: {"V2 V3 V4 V12", "transactions",
		"amounts are the sums of the operations and within their bounds"},
	History:    {"V7", "transactions", "status, state, failure and times are what the operations say"},
	Operations: {"V10", "operations", "each has the posting of its kind and nothing else"},
	Sequences:  {"V10", "objects", "events are numbered 1, 2, 3 … and show their object as it then was"},
	Expiry:     {"V15", "operations", "no capture or cancel from the hour of expiry on, no expiry before it"},
	Keys:       {"V9", "keys", "one effect per merchant and key in 30 days, with the reply that tells of it"},
	References: {"V9", "references", "one effect for ever per funding reference, and none without it"},
	Places:     {"V4", "rows", "one currency, one book and one merchant from the id to the entry"},
	Links:      {"V7", "links", "a link is paid once, by the payment it names, and busy with one at most"},
}

// String returns the invariants that the rule covers and its text.
func (r Rule) String() string { return ruleTable[r].covers + " " + ruleTable[r].text }

// Check is one rule with how often it was applied.
type Check struct {
	Rule       Rule   `json:"-"`
	Covers     string `json:"covers"` // invariants of docs/rules.md
	Text       string `json:"text"`
	Counts     string `json:"counts"` // what Checked counts
	Checked    int64  `json:"checked"`
	Violations int64  `json:"violations"`
}

// Violation is one thing that does not fit.
type Violation struct {
	Rule   Rule   `json:"-"`
	Covers string `json:"covers"`
	Object string `json:"object"` // id of the row that is wrong
	What   string `json:"what"`
}

// Listed is how many violations of one rule a report lists; all are counted.
const Listed = 20

// Report is what a verification found. It names ids and amounts, and no personal data.
type Report struct {
	Checks     []Check     `json:"checks"`
	Violations []Violation `json:"violations"`
	Notes      []string    `json:"notes"`
}

func newReport() Report {
	r := Report{Violations: []Violation{}, Notes: []string{
		"Not checked, because it cannot be seen afterwards: whether an order reference that occurs twice " +
			"was refused while its merchant rejected repeats (the setting may have changed in between).",
		"Not checked, because the settings that held then are not kept: how long a hold was to live, how long an " +
			"owner could answer, and the limits of a wallet and what its owner approved at the time of an " +
			"authorization.",
	}}
	for i, row := range ruleTable {
		r.Checks = append(r.Checks, Check{Rule: Rule(i), Covers: row.covers, Text: row.text,
			Counts: row.counts})
	}
	return r
}

// OK reports whether every invariant holds.
func (r Report) OK() bool {
	for _, c := range r.Checks {
		if c.Violations > 0 {
			return false
		}
	}
	return true
}

// Broken returns the rules with violations.
func (r Report) Broken() []Rule {
	var broken []Rule
	for _, c := range r.Checks {
		if c.Violations > 0 {
			broken = append(broken, c.Rule)
		}
	}
	return broken
}

// checked counts one application of the rule.
func (r *Report) checked(rule Rule) { r.Checks[rule].Checked++ }

// broken notes a violation.
func (r *Report) broken(rule Rule, object, format string, args ...any) {
	c := &r.Checks[rule]
	c.Violations++
	if c.Violations <= Listed {
		r.Violations = append(r.Violations, Violation{
			Rule: rule, Covers: c.Covers, Object: object, What: fmt.Sprintf(format, args...),
		})
	}
}

// WriteTo prints the report for a person.
func (r Report) WriteTo(w io.Writer) (int64, error) {
	var b strings.Builder
	for _, c := range r.Checks {
		verdict := "ok"
		if c.Violations > 0 {
			verdict = fmt.Sprintf("%d BROKEN", c.Violations)
		}
		fmt.Fprintf(&b, "%-12s %10d %-12s %-10s %s\n", c.Covers, c.Checked, c.Counts, verdict, c.Text)
	}
	for _, v := range r.Violations {
		fmt.Fprintf(&b, "%s %s: %s\n", v.Covers, v.Object, v.What)
	}
	if r.OK() {
		b.WriteString("The books are in order.\n")
	} else {
		b.WriteString("The books are NOT in order.\n")
	}
	for _, note := range r.Notes {
		b.WriteString(note + "\n")
	}
	n, err := io.WriteString(w, b.String())
	return int64(n), err
}

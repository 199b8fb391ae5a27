package machine_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"plexy/internal/core/journal"
	"plexy/internal/core/ledger"
	"plexy/internal/core/machine"
	"plexy/internal/core/money"
	"plexy/internal/core/reject"
	"plexy/internal/core/wallet"
)

// stage is the books of one scenario: the machine's own working set, which here is never saved.
type stage struct {
	title  string
	state  *machine.State
	at     int64 // microseconds
	names  map[string]string
	books  map[string]ledger.Account // uncapped accounts, which the machine leaves to the keeper
	posted int                       // records already counted in books
	made   int
	people []string
	broken error // what a record broke
}

func newStage(title string) *stage {
	return &stage{
		title: title, state: machine.NewState(), names: map[string]string{},
		at:    time.Date(2026, 1, 5, 4, 0, 0, 0, time.UTC).UnixMicro(), // nine in the morning in Almaty
		books: map[string]ledger.Account{},
	}
}

var errLanguage = errors.New("not a line of a scenario")

// answer runs one line and returns what stands behind the arrow; "" for lines that only set the stage.
func (s *stage) answer(words []string) (string, error) {
	switch words[0] {
	case "given":
		return "", s.given(words[1:])
	case "after", "back":
		d, err := duration(words[1])
		if words[0] == "back" {
			d = -d
		}
		s.at += d
		return "", err
	case "at":
		at, err := time.Parse(time.RFC3339, words[1])
		s.at = at.UnixMicro()
		return "", err
	case "move":
		if wallet.MayBecome(wallet.Status(words[1]), wallet.Status(words[3])) {
			return "yes", nil
		}
		return "no", nil
	case "entry":
		return s.entry(words[1], words[2])
	case "events":
		return s.events(words[1]), nil
	case "statement":
		return s.statement(words[1:])
	case "books":
		return s.balance(), nil
	}
	if in, ok, err := s.command(words); ok || err != nil {
		return s.act(words, in), err
	}
	return s.figure(words)
}

// given makes people, shops and transactions that are not decided yet.
func (s *stage) given(words []string) error {
	name := words[0]
	switch {
	case len(words) == 1:
		s.people = append(s.people, name)
	case words[1] == "holds":
		asks, _ := duration(option(&words, "asks", "10m"))
		hold, err := duration(words[2])
		s.state.Terms[merchantID(name)] = wallet.Terms{
			Merchant: merchantID(name), HoldMicros: hold, ApprovalMicros: asks,
			RejectRepeats: strings.HasSuffix(strings.Join(words, " "), "rejects repeats"),
		}
		s.names[merchantID(name)] = name
		return err
	case words[1] == "is":
		id := "wt_" + name
		s.names[name] = id
		s.state.Transactions[id] = wallet.Transaction{
			ID: id, Merchant: merchantID(words[4]), Status: wallet.Status(words[2]), Amount: 100,
			Currency: money.KZT,
		}
	default:
		return errLanguage
	}
	return nil
}

func merchantID(name string) string { return "mer_" + name }

// who names a person. "alice's phone" belongs to alice until she gets another.
func who(name, phone string) machine.Who {
	return machine.Who{IIN: []string{"iin of " + name}, Phone: []string{"phone of " + phone}}
}

func (s *stage) stem(kind string) string {
	s.made++
	return fmt.Sprintf("%s%024d", kind, s.made)
}

// option takes "name value" out of a line.
func option(words *[]string, name, otherwise string) string {
	if i := slices.Index(*words, name); i >= 0 && i+1 < len(*words) {
		value := (*words)[i+1]
		*words = slices.Delete(slices.Clone(*words), i, i+2)
		return value
	}
	return otherwise
}

// command parses an action. Amounts are minor units; the currency is KZT where none is named.
func (s *stage) command(words []string) (machine.Instruction, bool, error) {
	key := option(&words, "key", "")
	phone := option(&words, "phone", "")
	order := option(&words, "order", "A-1")
	reference := ""
	if words[0] != "link" {
		reference = option(&words, "reference", "")
	}
	by, course, refusal := option(&words, "by", ""), option(&words, "course", ""), option(&words, "refusal", "")
	c, err := s.card(words)
	if c == nil && err == nil {
		c, err = s.parse(words, parsed{phone, order, reference, by, course, reject.Reason(refusal)})
	}
	if c == nil || err != nil {
		return machine.Instruction{}, false, err
	}
	in := machine.Instruction{
		Command: c, Key: key, Origin: journal.Origin{RequestID: s.stem("req_"), IdempotencyKey: key},
		Render: func(o machine.Outcome) machine.Reply {
			return machine.Reply{Status: 200, Body: []byte(told(o))}
		},
	}
	if key != "" {
		in.Scope = s.scope(c)
		in.Fingerprint = sha256.Sum256([]byte(meaning(c)))
	}
	return in, true, nil
}

// parsed are the options of a line.
type parsed struct {
	phone, order, reference, by, course string
	refusal                             reject.Reason // of a sandbox's table
}

func (s *stage) parse(words []string, o parsed) (machine.Command, error) {
	switch words[0] {
	case "authorize": // wt1 100 KZT from alice to shop
		return s.authorize(words[1:], o)
	case "capture", "cancel", "refund": // wt1 60
		return s.operate(words, o)
	case "expire":
		return machine.Expire{ID: s.id(words[1])}, nil
	case "approve", "decline", "lapse", "complete":
		return s.decision(words, o), nil
	case "ask": // alice always, never, or above 100
		return s.approval(words, o)
	case "top": // up alice 1000 KZT
		return s.fund(machine.TopUp, words[2:], o)
	case "withdraw":
		return s.fund(machine.Withdraw, words[1:], o)
	case "adjust":
		return s.fund(machine.Adjust, words[1:], o)
	case "open": // alice KZT
		return machine.Open{
			Who: s.person(words[1], o), Currency: currency(words[2:]), Opening: s.opening(words[1], o),
		}, nil
	case "block", "unblock":
		condition := map[string]wallet.Condition{"block": wallet.Blocked, "unblock": wallet.Active}
		return machine.SetCondition{
			Who: s.person(words[1], o), Currency: currency(words[2:]), Condition: condition[words[0]],
		}, nil
	case "limit": // alice to 100 a transaction and 500 a day
		each, err := strconv.ParseInt(words[3], 10, 64)
		if err != nil {
			return nil, err
		}
		daily, err := strconv.ParseInt(words[7], 10, 64)
		return machine.SetLimits{
			Who: s.person(words[1], o), Currency: money.KZT,
			Limits: wallet.Limits{PerTransaction: each, PerDay: daily},
		}, err
	case "rebind": // alice phone new
		return machine.Rebind{
			Who: who(words[1], o.phone), Customer: s.state.ByIIN["iin of "+words[1]],
			KeyID: "vk_1", Sealed: []byte("-"),
		}, nil
	}
	return nil, nil
}

func (s *stage) authorize(words []string, o parsed) (machine.Command, error) {
	if len(words) < 7 || words[3] != "from" || words[5] != "to" {
		return nil, errLanguage
	}
	amount, err := strconv.ParseInt(words[1], 10, 64)
	stem := s.stem("wt_")
	s.names[words[0]] = stem
	return machine.Authorize{
		Stem: stem, Merchant: merchantID(words[6]), Currency: money.Currency(words[2]),
		OrderReference: o.order, Amount: amount, Who: s.person(words[4], o), Course: course(o.course),
	}, err
}

// course reads a sandbox's course: NEW, FAILED:reason, PROCESSING:5m or PROCESSING:5m:reason.
func course(text string) *wallet.Course {
	if text == "" {
		return nil
	}
	parts := strings.Split(text+"::", ":")
	c := &wallet.Course{Status: wallet.Status(parts[0]), Failure: reject.Reason(parts[1])}
	if c.Status == wallet.Processing {
		c.AfterMicros, _ = duration(parts[1])
		c.Failure = reject.Reason(parts[2])
	}
	return c
}

// decision parses what an owner says, and what happens by itself: "approve wt1 by alice", "lapse wt1".
func (s *stage) decision(words []string, o parsed) machine.Command {
	id := s.id(words[1])
	owned := machine.Owned{ID: id, Customer: s.state.ByIIN["iin of "+o.by]}
	switch words[0] {
	case "approve":
		return machine.Approve{Owned: owned}
	case "decline":
		return machine.Decline{Owned: owned}
	case "lapse":
		return machine.Lapse{ID: id}
	}
	return machine.Complete{ID: id, Merchant: s.state.Transactions[id].Merchant}
}

func (s *stage) approval(words []string, o parsed) (machine.Command, error) {
	c := machine.SetApproval{Who: s.person(words[1], o), Currency: money.KZT}
	switch words[2] {
	case "always":
		c.Approval = wallet.Owner
	case "above":
		n, err := strconv.ParseInt(words[3], 10, 64)
		c.Approval = wallet.ApprovalAbove(n)
		return c, err
	}
	return c, nil
}

func (s *stage) operate(words []string, o parsed) (machine.Command, error) {
	if len(words) != 3 {
		return nil, errLanguage
	}
	amount, err := strconv.ParseInt(words[2], 10, 64)
	id := s.id(words[1])
	t := machine.Target{ID: id, Amount: amount, Merchant: s.state.Transactions[id].Merchant, Refusal: o.refusal}
	if o.by != "" {
		t.Merchant = merchantID(o.by)
	}
	switch words[0] {
	case "capture":
		return machine.Capture{Target: t}, err
	case "cancel":
		return machine.Cancel{Target: t}, err
	}
	return machine.Refund{Target: t}, err
}

func (s *stage) fund(d machine.Direction, words []string, o parsed) (machine.Command, error) {
	amount, err := strconv.ParseInt(words[1], 10, 64)
	return machine.Fund{
		Direction: d, Who: s.person(words[0], o), Currency: currency(words[2:]), Amount: amount,
		Reference: o.reference, Opening: s.opening(words[0], o),
	}, err
}

// person names somebody by IIN and phone: their own first one, unless the line says otherwise.
func (s *stage) person(name string, o parsed) machine.Who {
	if o.phone != "" {
		return who(name, o.phone)
	}
	return who(name, name)
}

func (s *stage) opening(name string, o parsed) machine.Opening {
	w := s.person(name, o)
	return machine.Opening{
		WalletStem: s.stem("wlt_"), Book: len(name),
		Customer: wallet.Customer{
			ID: s.stem("cus_"), KeyID: "vk_1", IINIndex: w.IIN[0], PhoneIndex: w.Phone[0],
		},
	}
}

func currency(words []string) money.Currency {
	if len(words) > 0 {
		return money.Currency(words[0])
	}
	return money.KZT
}

func duration(text string) (int64, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.ParseInt(days, 10, 64)
		return n * 24 * 3600 * 1_000_000, err
	}
	d, err := time.ParseDuration(text)
	return d.Microseconds(), err
}

// id returns the id behind a name such as wt1; an unknown name is an unknown id.
func (s *stage) id(name string) string {
	stem := s.names[name]
	for id := range s.state.Transactions {
		if stem != "" && strings.HasPrefix(id, stem) {
			return id
		}
	}
	return "wt_" + name
}

func (s *stage) scope(c machine.Command) string {
	switch c := c.(type) {
	case machine.Authorize:
		return c.Merchant
	case machine.Capture:
		return c.Merchant
	case machine.Cancel:
		return c.Merchant
	case machine.Refund:
		return c.Merchant
	case machine.AskCapture:
		return c.Merchant
	case machine.AskRefund:
		return c.Merchant
	}
	return "platform"
}

// meaning is what a merchant asked for, without the ids that we make.
func meaning(c machine.Command) string {
	if m, ok := cardMeaning(c); ok {
		return m
	}
	if a, ok := c.(machine.Authorize); ok {
		a.Stem, a.Course = "", nil
		return fmt.Sprintf("%T%v", a, a)
	}
	if before, _, ok := strings.Cut(fmt.Sprintf("%T%+v", c, c), " Refusal:"); ok {
		return before
	}
	return fmt.Sprintf("%T%v", c, c)
}

// told is an answer in a scenario's words.
func told(o machine.Outcome) string {
	switch {
	case o.Pay != nil:
		return cardTold(o)
	case o.Reason != "":
		return "refused: " + string(o.Reason)
	case o.Transaction.Status == wallet.Failed:
		return "FAILED: " + string(o.Transaction.Failure)
	case o.Transaction.Status == wallet.New, o.Transaction.Status == wallet.Processing:
		return string(o.Transaction.Status)
	}
	return "ok"
}

// act runs an instruction and says what came of it.
func (s *stage) act(words []string, in machine.Instruction) string {
	if in.Command == nil {
		return ""
	}
	o := machine.Step(s.state, machine.Stamp{At: s.at}, in)
	s.count()
	switch {
	case o.Replayed && words[0] == "authorize":
		s.names[words[1]] = s.names[s.first(in)]
		return "replayed: " + string(o.Reply.Body)
	case o.Replayed:
		return "replayed: " + string(o.Reply.Body)
	case words[0] == "authorize" && o.Reason == "" && in.Key != "":
		s.names["first "+in.Scope+in.Key] = s.names[words[1]]
	}
	return told(o)
}

// first names the transaction that a key made first.
func (s *stage) first(in machine.Instruction) string { return "first " + in.Scope + in.Key }

// count moves the new records' amounts on the uncapped accounts, as a keeper does.
func (s *stage) count() {
	for _, r := range s.state.Changes.Records[s.posted:] {
		if _, ok := s.state.Payments[r.Object]; ok && s.broken == nil {
			s.broken = s.follow(r)
		}
		p := r.Posting
		debit, credit := r.Stripes()
		if debit {
			a := s.books[p.Debit]
			a.Currency = p.Currency
			s.books[p.Debit], _ = a.Debit(p)
		}
		if credit {
			a := s.books[p.Credit]
			a.Currency = p.Currency
			s.books[p.Credit], _ = a.Credit(p)
		}
	}
	s.posted = len(s.state.Changes.Records)
}

// account finds the totals behind a name: a person's wallet, a shop's payable, bank or adjustments.
func (s *stage) account(name string, c money.Currency) ledger.Account {
	switch {
	case slices.Contains(s.people, name):
		customer := s.state.ByIIN["iin of "+name]
		return s.state.Wallets[s.state.WalletOf[machine.Holding{Customer: customer, Currency: c}]].Account
	case name == "bank":
		return s.books[ledger.Bank(c)]
	case name == "adjustments":
		return s.books[wallet.Adjustments(c)]
	case name == "acquirer":
		return s.books[ledger.Receivable("sandbox", c)]
	case name == "fees":
		return s.books[ledger.AcquirerFee("sandbox", c)]
	case name == "refund-transit":
		return s.books[ledger.RefundTransit(c)]
	}
	return s.books[ledger.Payable(merchantID(name), c)]
}

// named turns an account id back into the name of the scenario.
func (s *stage) named(account string) string {
	for _, w := range s.state.Wallets {
		if w.ID == account {
			return strings.TrimPrefix(s.state.Customers[w.Customer].IINIndex, "iin of ")
		}
	}
	parts := strings.Split(account, ":")
	if parts[0] == "acquirer" {
		return map[string]string{"receivable": "acquirer", "fee": "fees"}[parts[2]]
	}
	name := parts[1]
	if shop, ok := s.names[name]; ok {
		return shop
	}
	return strings.TrimPrefix(name, "mer_")
}

// figure answers lines such as "alice available", "shop USD posted" and "wt1 captured".
func (s *stage) figure(words []string) (string, error) {
	if len(words) < 2 {
		return "", errLanguage
	}
	if answer, ok := s.cardFigure(words); ok {
		return answer, nil
	}
	if _, ok := s.names[words[0]]; ok && strings.HasPrefix(words[0], "wt") {
		return s.part(s.state.Transactions[s.id(words[0])], words[1])
	}
	c := money.KZT
	if len(words) == 3 {
		c = money.Currency(words[1])
	}
	a := s.account(words[0], c)
	switch words[len(words)-1] {
	case "available":
		return strconv.FormatInt(a.Totals.Available(), 10), nil
	case "pending":
		return strconv.FormatInt(a.Totals.Pending(), 10), nil
	case "posted":
		return strconv.FormatInt(a.Totals.Posted(), 10), nil
	}
	return "", errLanguage
}

func (s *stage) part(t wallet.Transaction, what string) (string, error) {
	amounts := map[string]int64{
		"amount": t.Amount, "authorized": t.Authorized, "captured": t.Captured,
		"canceled": t.Canceled, "expired": t.Expired, "refunded": t.Refunded,
		"remaining": t.Remaining(), "refundable": t.Refundable(),
	}
	switch n, ok := amounts[what]; {
	case ok:
		return strconv.FormatInt(n, 10), nil
	case what == "status":
		return string(t.Status), nil
	case what == "state":
		return string(t.State()), nil
	case what == "failure" && t.Failure == "":
		return "none", nil
	case what == "failure":
		return string(t.Failure), nil
	}
	return "", errLanguage
}

// entry shows the posting of a transaction's record: "settle 60 KZT, debit alice, credit shop".
func (s *stage) entry(name, number string) (string, error) {
	for _, r := range s.state.Changes.Records {
		mine := r.Object == s.id(name) || r.Object == s.cardID(name)
		if slices.Contains(s.people, name) {
			mine = r.Object == s.account(name, r.Currency).ID && r.Currency == money.KZT
		}
		if mine && strconv.FormatInt(r.Sequence, 10) == number {
			p := r.Posting
			if !p.Moves() {
				return "none", nil
			}
			return fmt.Sprintf("%s %d %s, debit %s, credit %s",
				p.Move, p.Amount, p.Currency, s.named(p.Debit), s.named(p.Credit)), nil
		}
	}
	return "", errLanguage
}

// events lists what happened to a transaction or to a person's wallet, by number.
func (s *stage) events(name string) string {
	if s.cardID(name) != "" {
		return s.cardEvents(name)
	}
	var events []string
	for _, r := range s.state.Changes.Records {
		wallet := slices.Contains(s.people, name) && r.Object == s.account(name, r.Currency).ID
		if wallet || r.Object == s.id(name) {
			events = append(events, fmt.Sprintf("%d %s", r.Sequence, r.Type))
		}
	}
	return strings.Join(events, ", ")
}

// statement walks back from a person's wallet: "captured 60, authorized 100, topped_up 1000".
func (s *stage) statement(words []string) (string, error) {
	w := s.state.Wallets[s.account(words[0], currency(words[1:])).ID]
	records := map[journal.Ref]journal.Record{}
	for _, r := range s.state.Changes.Records {
		records[journal.Ref{Object: r.Object, Sequence: r.Sequence}] = r
	}
	var lines []string
	for at := w.Last; at != (journal.Ref{}); at = records[at].Previous {
		lines = append(lines, fmt.Sprintf("%s %d", records[at].Type, records[at].Amount))
	}
	return strings.Join(lines, ", "), nil
}

// balance sums all accounts by currency, pending and posted apart.
func (s *stage) balance() string {
	type sums struct{ pending, posted int64 }
	by := map[money.Currency]sums{}
	add := func(a ledger.Account) {
		n := by[a.Currency]
		by[a.Currency] = sums{n.pending + a.Totals.Pending(), n.posted + a.Totals.Posted()}
	}
	for _, w := range s.state.Wallets {
		add(w.Account)
	}
	for _, a := range s.books {
		add(a)
	}
	for _, c := range slices.Sorted(maps.Keys(by)) {
		if by[c] != (sums{}) {
			return fmt.Sprintf("%s is off by %d pending and %d posted", c, by[c].pending, by[c].posted)
		}
	}
	return "balance"
}

// check holds after every line: the books balance, no wallet is below zero, and what was given back never
// exceeds what was given.
func (s *stage) check() error {
	if b := s.balance(); b != "balance" {
		return errors.New(b)
	}
	for _, w := range s.state.Wallets {
		if t := w.Account.Totals; t.Available() < 0 || t.DebitsPending < 0 {
			return fmt.Errorf("wallet below zero: %+v", t)
		}
	}
	for _, t := range s.state.Transactions {
		if t.Remaining() < 0 || t.Refundable() < 0 || t.Captured < 0 || t.Canceled < 0 || t.Expired < 0 {
			return fmt.Errorf("amounts out of bounds: %+v", t)
		}
	}
	if s.broken != nil {
		return s.broken
	}
	return s.checkCards()
}

// micros is a duration in microseconds.
func micros(n int64) time.Duration { return time.Duration(n) * time.Microsecond }

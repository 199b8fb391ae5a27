package machine

import (
	"plexy/internal/core/journal"
	"plexy/internal/core/link"
	"plexy/internal/core/money"
	"plexy/internal/core/payment"
	"plexy/internal/core/wallet"
)

// State is the working set of one batch: what was loaded, as the instructions of the batch change it.
// The second instruction of a batch sees the effects of the first.
type State struct {
	Generation      int64 // of the vault
	Terms           map[string]wallet.Terms
	Replies         map[ReplyKey]Stored
	References      map[string]Reference
	Transactions    map[string]wallet.Transaction
	Wallets         map[string]wallet.Wallet
	WalletOf        map[Holding]string // wallet id
	Customers       map[string]wallet.Customer
	ByIIN           map[string]string // index → customer id
	ByPhone         map[string]string
	OrderReferences map[OrderReference]bool // taken by a transaction that did not fail

	// Of card payments; nil until a batch is about some. Keepers fill them with the Add methods.
	Payments       map[string]payment.Payment
	Operations     map[string]payment.Operation
	Links          map[string]link.Link
	LinkReferences map[OrderReference]bool // taken by a link

	Changes Changes
}

// Holding names a customer's wallet in a currency.
type Holding struct {
	Customer string
	Currency money.Currency
}

// Stored is the reply kept under an idempotency key.
type Stored struct {
	Fingerprint [32]byte
	Reply       Reply
	At          int64  // microseconds
	RequestID   string // of the request that was answered first
}

// Reference is the one effect that a funding reference had, and its answer.
type Reference struct {
	Name      string
	Direction Direction
	Wallet    string
	Amount    int64 // as asked for, minor units
	Reply     Reply
	At        int64 // microseconds
}

// Audit is one line about something done by hand.
type Audit struct {
	ID                                   string
	At                                   int64 // microseconds
	Actor, Action, Object, Before, After string
	Reason                               string
}

// Changes is what Save must write, in the order in which it came about. Rows are named here; their
// final values are in the State.
type Changes struct {
	NewTransactions []string
	Transactions    []string // loaded ones that changed
	NewWallets      []string
	Wallets         []string
	NewCustomers    []string
	Customers       []string
	Records         []journal.Record
	Replies         []ReplyKey // stored now; expired rows of the same key are replaced
	References      []string
	Claims          []OrderReference // of merchants that reject repeats
	Released        []OrderReference // of transactions that were not decided and failed; none need be claimed
	Approvals       []string         // wallets, each also in one of the lists above, whose Approval changed
	Audits          []Audit

	// Of card payments. A new link takes its order reference: a second row with it is a conflict.
	NewLinks      []string
	Links         []string
	NewPayments   []string
	Payments      []string
	NewOperations []string
	Operations    []string
	// LinkMoves are the statuses that links got, each time one did.
	LinkMoves []LinkMove

	listed map[string]bool // ids already in one of the lists of rows
}

// LinkMove is a link that got another status; From is "" for a new one.
type LinkMove struct {
	ID       string
	From, To link.Status
}

// NewState returns an empty working set.
func NewState() *State { return new(Keys).NewState() }

// NewState returns an empty working set with room for what k names. After a Reset it is the set that k
// made before, emptied: batches of one lane follow each other, and its room is the larger part of what
// they need.
func (k *Keys) NewState() *State {
	if k.spare != nil {
		s := k.spare
		k.spare = nil
		return s
	}
	k.made = k.newState()
	return k.made
}

// Reset forgets what was named. The working set that k made must not be in use any more: the next
// NewState gives it out again.
func (k *Keys) Reset() {
	made := k.made
	if made != nil {
		made.reset()
	}
	*k = Keys{
		Replies: k.Replies[:0], Kept: k.Kept[:0], Merchants: k.Merchants[:0],
		Transactions: k.Transactions[:0], Payers: k.Payers[:0], Phones: k.Phones[:0],
		References: k.References[:0], OrderReferences: k.OrderReferences[:0], made: made, spare: made,
		Links: k.Links[:0], Payments: k.Payments[:0], Operations: k.Operations[:0],
		LinkReferences: k.LinkReferences[:0],
	}
}

// reset empties the set and keeps its room.
func (s *State) reset() {
	s.Generation = 0
	clear(s.Terms)
	clear(s.Replies)
	clear(s.References)
	clear(s.Transactions)
	clear(s.Wallets)
	clear(s.WalletOf)
	clear(s.Customers)
	clear(s.ByIIN)
	clear(s.ByPhone)
	clear(s.OrderReferences)
	clear(s.Payments)
	clear(s.Operations)
	clear(s.Links)
	clear(s.LinkReferences)
	c := &s.Changes
	clear(c.listed)
	clear(c.Records) // no customer's data stays behind in unused room
	*c = Changes{
		NewTransactions: c.NewTransactions[:0], Transactions: c.Transactions[:0],
		NewWallets: c.NewWallets[:0], Wallets: c.Wallets[:0],
		NewCustomers: c.NewCustomers[:0], Customers: c.Customers[:0],
		Records: c.Records[:0], Replies: c.Replies[:0], References: c.References[:0],
		Claims: c.Claims[:0], Released: c.Released[:0], Approvals: c.Approvals[:0],
		Audits: c.Audits[:0], listed: c.listed,
		NewLinks: c.NewLinks[:0], Links: c.Links[:0], NewPayments: c.NewPayments[:0], Payments: c.Payments[:0],
		NewOperations: c.NewOperations[:0], Operations: c.Operations[:0], LinkMoves: c.LinkMoves[:0],
	}
}

func (k *Keys) newState() *State {
	payers, replies := len(k.Payers), len(k.Replies)
	objects := payers + len(k.Transactions)
	return &State{
		Terms: map[string]wallet.Terms{}, References: map[string]Reference{},
		Replies:      make(map[ReplyKey]Stored, replies),
		Transactions: make(map[string]wallet.Transaction, objects),
		Wallets:      make(map[string]wallet.Wallet, objects),
		WalletOf:     make(map[Holding]string, objects),
		Customers:    make(map[string]wallet.Customer, payers),
		ByIIN:        make(map[string]string, payers), ByPhone: make(map[string]string, payers),
		OrderReferences: map[OrderReference]bool{},
		Changes: Changes{
			Records: make([]journal.Record, 0, objects), Replies: make([]ReplyKey, 0, replies),
			listed: make(map[string]bool, 2*objects),
		},
	}
}

// Changed reports whether there is anything to save.
func (s *State) Changed() bool {
	c := &s.Changes
	return len(c.Records)+len(c.Replies)+len(c.Audits)+len(c.NewTransactions)+len(c.NewCustomers)+
		len(c.NewWallets)+len(c.Wallets)+len(c.Customers)+len(c.NewLinks)+len(c.Links)+len(c.NewPayments)+
		len(c.Payments)+len(c.NewOperations)+len(c.Operations) > 0
}

// AddWallet puts a loaded wallet into the working set; keepers use it.
func (s *State) AddWallet(w wallet.Wallet) {
	s.Wallets[w.ID] = w
	s.WalletOf[Holding{w.Customer, w.Account.Currency}] = w.ID
}

// AddCustomer puts a loaded customer into the working set; keepers use it.
func (s *State) AddCustomer(c wallet.Customer) {
	s.Customers[c.ID] = c
	s.ByIIN[c.IINIndex] = c.ID
	s.ByPhone[c.PhoneIndex] = c.ID
}

// AddPayment puts a loaded payment into the working set; keepers use it.
func (s *State) AddPayment(p payment.Payment) {
	if s.Payments == nil {
		s.Payments = map[string]payment.Payment{}
	}
	s.Payments[p.ID] = p
}

// AddOperation puts a loaded operation into the working set; keepers use it.
func (s *State) AddOperation(o payment.Operation) {
	if s.Operations == nil {
		s.Operations = map[string]payment.Operation{}
	}
	s.Operations[o.ID] = o
}

// AddLink puts a loaded link into the working set; keepers use it.
func (s *State) AddLink(l link.Link) {
	if s.Links == nil {
		s.Links = map[string]link.Link{}
	}
	s.Links[l.ID] = l
}

// AddLinkReference says that a link has the order reference; keepers use it.
func (s *State) AddLinkReference(r OrderReference) {
	if s.LinkReferences == nil {
		s.LinkReferences = map[OrderReference]bool{}
	}
	s.LinkReferences[r] = true
}

func (c *Changes) list(rows *[]string, id string) {
	if !c.listed[id] {
		c.listed[id] = true
		*rows = append(*rows, id)
	}
}

func (s *State) putTransaction(t wallet.Transaction) {
	if _, loaded := s.Transactions[t.ID]; loaded {
		s.Changes.list(&s.Changes.Transactions, t.ID)
	} else {
		s.Changes.list(&s.Changes.NewTransactions, t.ID)
	}
	s.Transactions[t.ID] = t
}

func (s *State) putWallet(w wallet.Wallet) {
	if _, loaded := s.Wallets[w.ID]; loaded {
		s.Changes.list(&s.Changes.Wallets, w.ID)
	} else {
		s.Changes.list(&s.Changes.NewWallets, w.ID)
	}
	s.AddWallet(w)
}

func (s *State) putCustomer(c wallet.Customer) {
	if old, loaded := s.Customers[c.ID]; loaded {
		s.Changes.list(&s.Changes.Customers, c.ID)
		delete(s.ByPhone, old.PhoneIndex)
	} else {
		s.Changes.list(&s.Changes.NewCustomers, c.ID)
	}
	s.AddCustomer(c)
}

func (s *State) putPayment(p payment.Payment) {
	if _, loaded := s.Payments[p.ID]; loaded {
		s.Changes.list(&s.Changes.Payments, p.ID)
	} else {
		s.Changes.list(&s.Changes.NewPayments, p.ID)
	}
	s.AddPayment(p)
}

func (s *State) putOperation(o payment.Operation) {
	if _, loaded := s.Operations[o.ID]; loaded {
		s.Changes.list(&s.Changes.Operations, o.ID)
	} else {
		s.Changes.list(&s.Changes.NewOperations, o.ID)
	}
	s.AddOperation(o)
}

func (s *State) putLink(l link.Link) {
	old, loaded := s.Links[l.ID]
	if loaded {
		s.Changes.list(&s.Changes.Links, l.ID)
	} else {
		s.Changes.list(&s.Changes.NewLinks, l.ID)
	}
	if old.Status != l.Status {
		s.Changes.LinkMoves = append(s.Changes.LinkMoves, LinkMove{l.ID, old.Status, l.Status})
	}
	s.AddLink(l)
}

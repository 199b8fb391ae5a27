package sqlite

import (
	"slices"
	"unique"

	"plexy/internal/core/ledger"
	"plexy/internal/core/money"
	"plexy/internal/core/wallet"
)

// memory is what the writer remembers of committed rows, so that a batch seldom reads. It is replaced
// only after a commit and dropped as a whole whenever it may be stale. Misses are never remembered.
type memory struct {
	people     people
	terms      map[string]wallet.Terms   // by merchant
	stripes    map[string]ledger.Account // by account
	generation int64                     // of the vault; noGeneration while it is not known
}

// Bounds of what is remembered: about 800 bytes a person, 300 bytes the others.
const (
	maxPeople = 50_000
	maxSmall  = 20_000
)

const noGeneration = -1

func newMemory() memory {
	return memory{
		people: newPeople(maxPeople), terms: map[string]wallet.Terms{},
		stripes: map[string]ledger.Account{}, generation: noGeneration,
	}
}

// remember puts a value into one of the small maps, emptying it first when it is full.
func remember[V any](m map[string]V, key string, v V) {
	if len(m) >= maxSmall {
		clear(m)
	}
	m[key] = v
}

// person is a customer with all wallets, in one piece so that they are forgotten together.
type person struct {
	customer wallet.Customer
	wallets  []wallet.Wallet
	used     bool
	place    int // in the ring
}

// newPerson remembers of a customer what decides about payments, and so not what is sealed.
func newPerson(c wallet.Customer) *person {
	c.KeyID, c.IINSealed, c.PhoneSealed = unique.Make(c.KeyID).Value(), nil, nil
	return &person{customer: c}
}

// share lets a wallet of the person use texts that others have too.
func (p *person) share(w *wallet.Wallet) {
	w.Customer = p.customer.ID
	w.Condition = wallet.Condition(unique.Make(string(w.Condition)).Value())
	w.Account.Currency = money.Currency(unique.Make(string(w.Account.Currency)).Value())
}

// people is a bounded set of persons. When it is full, the hand goes round the ring and the first person
// that was not used since it last came by makes room (the clock algorithm).
type people struct {
	limit    int
	byID     map[string]*person
	byIIN    map[string]*person
	byPhone  map[string]*person
	byWallet map[string]*person
	ring     []*person
	hand     int
}

func newPeople(limit int) people {
	return people{
		limit: limit, byID: map[string]*person{}, byIIN: map[string]*person{},
		byPhone: map[string]*person{}, byWallet: map[string]*person{},
	}
}

func found(index map[string]*person, key string) *person {
	p := index[key]
	if p != nil {
		p.used = true
	}
	return p
}

func (c *people) add(p *person) {
	c.remove(c.byID[p.customer.ID])
	if len(c.ring) >= c.limit {
		c.evict()
	}
	p.used, p.place = false, len(c.ring) // who comes once goes before those who come again
	c.ring = append(c.ring, p)
	c.byID[p.customer.ID] = p
	c.byIIN[p.customer.IINIndex] = p
	c.byPhone[p.customer.PhoneIndex] = p
	for _, w := range p.wallets {
		c.byWallet[w.ID] = p
	}
}

func (c *people) evict() {
	for {
		c.hand %= len(c.ring)
		p := c.ring[c.hand]
		if !p.used {
			c.remove(p)
			return
		}
		p.used = false
		c.hand++
	}
}

func (c *people) remove(p *person) {
	if p == nil {
		return
	}
	last := c.ring[len(c.ring)-1]
	c.ring[p.place], last.place = last, p.place
	c.ring[len(c.ring)-1] = nil
	c.ring = c.ring[:len(c.ring)-1]
	delete(c.byID, p.customer.ID)
	delete(c.byIIN, p.customer.IINIndex)
	delete(c.byPhone, p.customer.PhoneIndex)
	for _, w := range p.wallets {
		delete(c.byWallet, w.ID)
	}
}

// replace takes the committed state of a wallet that is already known.
func (c *people) replace(w wallet.Wallet) {
	p := c.byWallet[w.ID]
	if p == nil {
		return
	}
	at := slices.IndexFunc(p.wallets, func(known wallet.Wallet) bool { return known.ID == w.ID })
	p.wallets[at] = w
}

// forget drops a person by the customer's id.
func (c *people) forget(customer string) { c.remove(c.byID[customer]) }

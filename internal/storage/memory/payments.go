package memory

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"plexy/internal/core/link"
	"plexy/internal/core/machine"
	"plexy/internal/core/payment"
	"plexy/internal/storage"
)

// Payments are the rows of card payments.
type Payments struct {
	Payments   map[string]*PaymentRow
	Operations map[string]*payment.Operation
	Links      map[string]*link.Link

	// What follows is computed from the rows above.
	references map[machine.OrderReference]string // link id
	operations map[string][]string               // of a payment, in order of number
}

// PaymentRow is a payment and the status that is stored beside it.
type PaymentRow struct {
	payment.Payment
	Stored payment.Status
}

func newPayments() Payments {
	return Payments{
		Payments: map[string]*PaymentRow{}, Operations: map[string]*payment.Operation{},
		Links:      map[string]*link.Link{},
		references: map[machine.OrderReference]string{}, operations: map[string][]string{},
	}
}

// reindex computes everything that is computed, from the rows.
func (t *Payments) reindex() {
	t.references, t.operations = map[machine.OrderReference]string{}, map[string][]string{}
	for _, l := range t.Links {
		t.refer(l)
	}
	for _, id := range sorted(t.Operations) {
		payment := t.Operations[id].Payment
		t.operations[payment] = append(t.operations[payment], id)
	}
	for _, ids := range t.operations {
		slices.SortFunc(ids, func(a, b string) int {
			return cmp.Compare(t.Operations[a].Number, t.Operations[b].Number)
		})
	}
}

func (t *Payments) refer(l *link.Link) {
	if l.OrderReference != "" {
		t.references[machine.OrderReference{Merchant: l.Merchant, Reference: l.OrderReference}] = l.ID
	}
}

var _ storage.Payments = (*Store)(nil)

// loadPayments fills the state with what the batch names of card payments.
func (b *batch) loadPayments(keys *machine.Keys, state *machine.State) {
	t, l := &b.s.t.Payments, b.loaded
	for _, id := range keys.Links {
		if row := t.Links[id]; row != nil {
			l.links[id] = row
			state.AddLink(*row)
		}
	}
	for _, id := range keys.Payments {
		if row := t.Payments[id]; row != nil {
			l.payments[id] = row
			state.AddPayment(row.Payment)
		}
	}
	for _, id := range keys.Operations {
		if row := t.Operations[id]; row != nil {
			l.operations[id] = row
			state.AddOperation(*row)
		}
	}
	for _, ref := range keys.LinkReferences {
		if t.references[ref] != "" {
			state.AddLinkReference(ref)
		}
	}
}

// checkPayments reports ErrConflict when what was loaded changed, or when a unique key is taken by now.
func (b *batch) checkPayments(state *machine.State) error {
	t, l, c := &b.s.t.Payments, b.loaded, &state.Changes
	for id, row := range l.links {
		if t.Links[id] != row {
			return conflict("link", id)
		}
	}
	for id, row := range l.payments {
		if t.Payments[id] != row {
			return conflict("payment", id)
		}
	}
	for id, row := range l.operations {
		if t.Operations[id] != row {
			return conflict("operation", id)
		}
	}
	for _, id := range c.NewLinks {
		row := state.Links[id]
		ref := machine.OrderReference{Merchant: row.Merchant, Reference: row.OrderReference}
		if t.Links[id] != nil || t.references[ref] != "" {
			return conflict("link", id)
		}
	}
	for _, id := range c.NewPayments {
		if t.Payments[id] != nil {
			return conflict("payment", id)
		}
	}
	for _, id := range c.NewOperations {
		if t.Operations[id] != nil {
			return conflict("operation", id)
		}
	}
	return nil
}

func (b *batch) applyPayments() {
	t, c := &b.s.t.Payments, &b.saved.Changes
	for _, id := range slices.Concat(c.NewLinks, c.Links) {
		row := b.saved.Links[id]
		t.Links[id] = &row
		t.refer(&row)
	}
	for _, id := range slices.Concat(c.NewPayments, c.Payments) {
		row := b.saved.Payments[id]
		t.Payments[id] = &PaymentRow{row, row.Status()}
	}
	for _, id := range c.NewOperations {
		row := b.saved.Operations[id]
		t.operations[row.Payment] = append(t.operations[row.Payment], id)
	}
	for _, id := range slices.Concat(c.NewOperations, c.Operations) {
		row := b.saved.Operations[id]
		t.Operations[id] = &row
	}
}

// Payment returns the merchant's payment, or ErrNotFound.
func (s *Store) Payment(ctx context.Context, merchant, id string) (payment.Payment, error) {
	p, err := s.AnyPayment(ctx, id)
	if err != nil || p.Merchant != merchant {
		return payment.Payment{}, storage.ErrNotFound
	}
	return p, nil
}

// AnyPayment returns a payment for the platform's own purposes, or ErrNotFound.
func (s *Store) AnyPayment(_ context.Context, id string) (payment.Payment, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	row := s.t.Payments.Payments[id]
	if row == nil {
		return payment.Payment{}, storage.ErrNotFound
	}
	return row.Payment, nil
}

// page takes what a query asks for out of all that it matches, newest first.
func page[T any](rows []T, id func(T) string, offset, limit int) ([]T, int64) {
	slices.SortFunc(rows, func(a, b T) int { return strings.Compare(id(b), id(a)) })
	return atMost(rows, offset, limit), int64(len(rows))
}

// counted is a total as far as a list is counted.
func counted(total int64, all bool) int64 {
	if all {
		return total
	}
	return min(total, storage.MaxTotal)
}

// Payments returns at most q.Limit payments, and how many there are in all.
func (s *Store) Payments(_ context.Context, q storage.PaymentQuery) ([]payment.Payment, int64, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var found []payment.Payment
	for _, row := range s.t.Payments.Payments {
		if row.Merchant == q.Merchant && (q.Link == "" || row.Link == q.Link) &&
			(q.Shopper == "" || row.Shopper == q.Shopper) && (q.Parent == "" || row.Parent == q.Parent) &&
			(q.OrderReference == "" || row.OrderReference == q.OrderReference) &&
			(q.Status == "" || row.Stored == q.Status) &&
			(q.CreatedFrom == 0 || row.CreatedAt >= q.CreatedFrom) &&
			(q.CreatedTo == 0 || row.CreatedAt < q.CreatedTo) {
			found = append(found, row.Payment)
		}
	}
	rows, total := page(found, func(p payment.Payment) string { return p.ID }, q.Offset, q.Limit)
	return rows, counted(total, q.All()), nil
}

// OperationsOf returns what was asked of the acquirer for a payment, in order of number.
func (s *Store) OperationsOf(_ context.Context, paymentID string) ([]payment.Operation, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var found []payment.Operation
	for _, id := range s.t.Payments.operations[paymentID] {
		found = append(found, *s.t.Payments.Operations[id])
	}
	return found, nil
}

// Asked returns an operation with its payment, or ErrNotFound.
func (s *Store) Asked(_ context.Context, operation string) (storage.Asked, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	row := s.t.Payments.Operations[operation]
	if row == nil {
		return storage.Asked{}, storage.ErrNotFound
	}
	return s.t.Payments.asked(row), nil
}

func (t *Payments) asked(o *payment.Operation) storage.Asked {
	return storage.Asked{Operation: *o, Payment: t.Payments[o.Payment].Payment}
}

// Link returns the merchant's link, or ErrNotFound.
func (s *Store) Link(ctx context.Context, merchant, id string) (link.Link, error) {
	l, err := s.AnyLink(ctx, id)
	if err != nil || l.Merchant != merchant {
		return link.Link{}, storage.ErrNotFound
	}
	return l, nil
}

// AnyLink returns a link for whoever has its id, or ErrNotFound.
func (s *Store) AnyLink(_ context.Context, id string) (link.Link, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	row := s.t.Payments.Links[id]
	if row == nil {
		return link.Link{}, storage.ErrNotFound
	}
	return *row, nil
}

// LinkByReference returns the merchant's link with an order reference, or ErrNotFound.
func (s *Store) LinkByReference(_ context.Context, merchant, reference string) (link.Link, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	id := s.t.Payments.references[machine.OrderReference{Merchant: merchant, Reference: reference}]
	if id == "" {
		return link.Link{}, storage.ErrNotFound
	}
	return *s.t.Payments.Links[id], nil
}

// Links returns at most q.Limit links, and how many there are in all.
func (s *Store) Links(_ context.Context, q storage.LinkQuery) ([]link.Link, int64, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var found []link.Link
	for _, row := range s.t.Payments.Links {
		if row.Merchant == q.Merchant && (q.Status == "" || row.Status == q.Status) &&
			(q.CreatedFrom == 0 || row.CreatedAt >= q.CreatedFrom) &&
			(q.CreatedTo == 0 || row.CreatedAt < q.CreatedTo) {
			found = append(found, *row)
		}
	}
	rows, total := page(found, func(l link.Link) string { return l.ID }, q.Offset, q.Limit)
	return rows, counted(total, q.All()), nil
}

// LinkStatistics counts the merchant's links by status and currency.
func (s *Store) LinkStatistics(
	_ context.Context, merchant string, from, to int64,
) ([]storage.LinkCount, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	counts := map[storage.LinkCount]storage.LinkCount{}
	for _, l := range s.t.Payments.Links {
		if l.Merchant != merchant || l.CreatedAt < from || to > 0 && l.CreatedAt >= to {
			continue
		}
		key := storage.LinkCount{Status: l.Status, Currency: l.Currency}
		n := counts[key]
		counts[key] = storage.LinkCount{
			Status: l.Status, Currency: l.Currency, Links: n.Links + 1, Amount: n.Amount + l.Amount,
		}
	}
	var found []storage.LinkCount
	for _, n := range counts {
		found = append(found, n)
	}
	slices.SortFunc(found, func(a, b storage.LinkCount) int {
		return cmp.Or(cmp.Compare(a.Status, b.Status), cmp.Compare(a.Currency, b.Currency))
	})
	return found, nil
}

// DueOperations returns at most limit operations to ask after, the longest due first.
func (s *Store) DueOperations(_ context.Context, at int64, limit int) ([]storage.Asked, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	times := map[string]int64{}
	for id, o := range s.t.Payments.Operations {
		if o.State == payment.Sent {
			times[id] = o.NextCheckAt
		}
	}
	return s.t.Payments.allAsked(longestDue(times, at, limit)), nil
}

// UnknownOperations returns at most limit operations whose outcome is unknown, the oldest first.
func (s *Store) UnknownOperations(_ context.Context, limit int) ([]storage.Asked, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	times := map[string]int64{}
	for id, o := range s.t.Payments.Operations {
		if o.Unknown {
			times[id] = o.UnknownSince
		}
	}
	return s.t.Payments.allAsked(longestDue(times, 1<<62, limit)), nil
}

// ContradictedOperations returns at most limit operations of which an answer was not believed, the newest
// first.
func (s *Store) ContradictedOperations(_ context.Context, since int64, limit int) ([]storage.Asked, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	t := &s.t.Payments
	var found []payment.Operation
	for _, o := range t.Operations {
		if o.Contradictions > 0 && o.UpdatedAt >= since {
			found = append(found, *o)
		}
	}
	slices.SortFunc(found, func(a, b payment.Operation) int {
		return cmp.Or(cmp.Compare(b.UpdatedAt, a.UpdatedAt), cmp.Compare(b.ID, a.ID))
	})
	var all []storage.Asked
	for i := range found[:min(limit, len(found))] {
		all = append(all, t.asked(&found[i]))
	}
	return all, nil
}

func (t *Payments) allAsked(ids []string) (found []storage.Asked) {
	for _, id := range ids {
		found = append(found, t.asked(t.Operations[id]))
	}
	return found
}

// DueClearings returns at most limit payments that are to be captured by themselves, the longest due first.
func (s *Store) DueClearings(_ context.Context, at int64, limit int) ([]payment.Payment, error) {
	return s.duePayments(at, limit, func(p *PaymentRow) int64 {
		if p.Open > 0 {
			return 0
		}
		return p.ClearAt
	})
}

// DueAuthentications returns at most limit payments whose 3-D Secure is given up, the longest due first.
func (s *Store) DueAuthentications(_ context.Context, at int64, limit int) ([]payment.Payment, error) {
	return s.duePayments(at, limit, func(p *PaymentRow) int64 { return p.AuthenticateBy })
}

func (s *Store) duePayments(at int64, limit int, when func(*PaymentRow) int64) ([]payment.Payment, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	times := map[string]int64{}
	for id, row := range s.t.Payments.Payments {
		times[id] = when(row)
	}
	var found []payment.Payment
	for _, id := range longestDue(times, at, limit) {
		found = append(found, s.t.Payments.Payments[id].Payment)
	}
	return found, nil
}

// DueLinks returns at most limit ids of links that are to expire, the longest due first.
func (s *Store) DueLinks(_ context.Context, at int64, limit int) ([]string, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	times := map[string]int64{}
	for id, l := range s.t.Payments.Links {
		if l.Status == link.Active && l.Busy == "" {
			times[id] = l.ExpiresAt
		}
	}
	return longestDue(times, at, limit), nil
}

var _ storage.PaymentBooks = snapshot{}

// Payments walks in order of id.
func (s snapshot) Payments(_ context.Context, fn func(payment.Payment, payment.Status) error) error {
	for _, id := range sorted(s.t.Payments.Payments) {
		row := s.t.Payments.Payments[id]
		if err := fn(row.Payment, row.Stored); err != nil {
			return err
		}
	}
	return nil
}

// Operations walks in order of payment and number.
func (s snapshot) Operations(_ context.Context, fn func(payment.Operation) error) error {
	var rows []payment.Operation
	for _, o := range s.t.Payments.Operations {
		rows = append(rows, *o)
	}
	slices.SortFunc(rows, func(a, b payment.Operation) int {
		return cmp.Or(cmp.Compare(a.Payment, b.Payment), cmp.Compare(a.Number, b.Number),
			cmp.Compare(a.ID, b.ID))
	})
	return each(rows, fn)
}

// Links walks in order of id.
func (s snapshot) Links(_ context.Context, fn func(link.Link) error) error {
	for _, id := range sorted(s.t.Payments.Links) {
		if err := fn(*s.t.Payments.Links[id]); err != nil {
			return err
		}
	}
	return nil
}

package sandbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/go-json-experiment/json"

	"plexy/internal/storage"
)

// maxTogether bounds the accounts that are saved in one transaction.
const maxTogether = 256

// books keep accounts in a storage. Accounts that are saved at the same time share a transaction: whoever
// finds nobody at it writes for all who wait.
type books struct {
	storage storage.Bank

	mu      sync.Mutex
	waiting []*saving
	writing bool
}

var errNotWritten = errors.New("the writer did not come back")

// saving is an account on its way into the storage.
type saving struct {
	row   storage.BankRow
	saved bool
	err   error
	turn  chan bool // true: write for all who wait; false: it is done
}

func newBooks(s storage.Bank) *books { return &books{storage: s} }

// read returns the account under an id; an account without steps when there is none.
func (b *books) read(ctx context.Context, id string) (account, error) {
	row, err := b.storage.BankRow(ctx, id)
	if errors.Is(err, storage.ErrNotFound) {
		return account{}, nil
	}
	if err != nil {
		return account{}, err
	}
	a := account{version: row.Version}
	if err := json.Unmarshal(row.Body, &a); err != nil {
		return account{}, fmt.Errorf("read a pretend account: %w", err)
	}
	return a, nil
}

// save writes the account if nobody wrote it since it was read, and reports whether that was so. After an
// error it may have been written or not.
func (b *books) save(ctx context.Context, id string, a account) (saved bool, err error) {
	body, err := json.Marshal(a)
	if err != nil {
		return false, fmt.Errorf("write a pretend account: %w", err)
	}
	s := &saving{row: storage.BankRow{
		ID: id, Version: a.version, Body: body, OverAt: a.over(),
	}, turn: make(chan bool, 1)}
	b.mu.Lock()
	b.waiting = append(b.waiting, s)
	first := !b.writing
	b.writing = true
	b.mu.Unlock()
	// Nobody leaves the queue, ended context or not: whoever is handed the pen must be there to take it. Each
	// write is bounded by the time the bank has.
	if !first && !<-s.turn {
		return s.saved, s.err
	}
	b.write(ctx, b.cut())
	return s.saved, s.err
}

// cut takes those who are next from the queue: of those who want the same account only the first. The one who
// cuts is the first of all.
func (b *books) cut() []*saving {
	b.mu.Lock()
	defer b.mu.Unlock()
	taken := map[string]bool{}
	var batch, rest []*saving
	for _, s := range b.waiting {
		if taken[s.row.ID] || len(batch) == maxTogether {
			rest = append(rest, s)
			continue
		}
		taken[s.row.ID] = true
		batch = append(batch, s)
	}
	b.waiting = rest
	return batch
}

// write saves a batch, tells who waits for it, and hands the pen on.
func (b *books) write(ctx context.Context, batch []*saving) {
	writer := batch[0]
	// In order of id, so that two processes do not wait for each other in a ring.
	slices.SortFunc(batch, func(x, y *saving) int { return cmp.Compare(x.row.ID, y.row.ID) })
	rows := make([]storage.BankRow, len(batch))
	for i, s := range batch {
		rows[i] = s.row
		s.err = errNotWritten // unless what follows returns
	}
	defer b.handOn(batch, writer)
	// It writes for others, so it has the whole time however long it waited itself.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), bankLimit)
	defer cancel()
	saved, err := b.storage.SaveBankRows(ctx, rows)
	for i, s := range batch {
		s.err = err
		if err == nil {
			s.saved = saved[i]
		}
	}
}

// handOn lets those go whose accounts were written, and gives the pen to the next one who waits.
func (b *books) handOn(batch []*saving, writer *saving) {
	for _, s := range batch {
		if s != writer {
			s.turn <- false
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.waiting) > 0 {
		b.waiting[0].turn <- true
		return
	}
	b.writing = false
}

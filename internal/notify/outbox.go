package notify

import (
	"context"
	"errors"
	"fmt"

	"plexy/internal/storage"
)

// OutboxLife is how long a sandbox keeps what it would have sent: a week, in microseconds.
const OutboxLife = 7 * 24 * 60 * 60 * 1_000_000

// Outbox is the carrier of a sandbox: it keeps messages in the database instead of sending them, with the
// recipient masked. Text and code stay readable, because they are what a tester needs; so it must not be
// used in production.
type Outbox struct{ People storage.People }

// Carry keeps the message. One that is there already was kept by a try whose answer was lost.
func (o Outbox) Carry(ctx context.Context, m Message) error {
	err := o.People.KeepMessage(ctx, storage.Message{
		ID: m.ID, Kind: string(m.Kind), To: m.To.Masked(), Language: string(m.Language),
		Subject: m.Subject, Text: m.Text, CreatedAt: m.At, SweepAt: m.At + OutboxLife,
	})
	if err != nil && !errors.Is(err, storage.ErrConflict) {
		return fmt.Errorf("keep a message: %w", err)
	}
	return nil
}

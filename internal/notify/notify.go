// Package notify tells people something: that a code was asked for, that a payment waits for them. What is
// said is in the catalogue beside this file; how it gets there is a carrier's job. Nothing here runs inside a
// database transaction, and no log line or error holds a phone, an address or a code.
package notify

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"sync"

	"plexy/internal/customer"
	"plexy/internal/locale"
	"plexy/internal/merchant"
)

// Kind says what a message is about.
type Kind string

// The kinds of message.
const (
	LoginCode       Kind = "login_code"
	ApprovalRequest Kind = "approval_request"
	WebhookFailing  Kind = "webhook_failing"  // an endpoint of a merchant, for an hour or a day
	WebhookDisabled Kind = "webhook_disabled" // after days without success
	WebhookGone     Kind = "webhook_gone"     // disabled after a 410
)

// Message is one thing to tell one person.
type Message struct {
	ID       string // the same on every try, so that a gateway can tell a repeat
	Kind     Kind
	To       Recipient
	Language locale.Language
	Subject  string // for carriers that have one
	Text     string
	At       int64 // when it was made, microseconds since 1970-01-01 UTC
}

// Recipient is where somebody can be reached. Both are personal data.
type Recipient struct {
	Phone customer.Phone
	Email merchant.Email // "" when nobody told one; who has one need not have a phone
}

// Masked returns what people may see of where it goes.
func (r Recipient) Masked() string {
	if r.Email != "" {
		return r.Email.Masked()
	}
	return r.Phone.Masked()
}

// ErrRefused marks what trying again does not help: the carrier does not want this message.
var ErrRefused = errors.New("the carrier refused the message")

// Carrier takes a message out of the house.
type Carrier interface {
	// Carry tries once. Its errors hold nothing personal; one that wraps ErrRefused is final.
	Carry(ctx context.Context, m Message) error
}

//go:embed texts/*.json
var embedded embed.FS

var catalogue = sync.OnceValues(func() (locale.Catalogue, error) {
	texts, err := fs.Sub(embedded, "texts")
	if err != nil {
		return nil, err
	}
	return locale.Read(texts)
})

// Write puts subject and text of its kind into a message, in its language. The pairs are the names and
// values of what the text of the kind mentions.
func (m Message) Write(pairs ...string) (Message, error) {
	texts, err := catalogue()
	if err != nil {
		return m, fmt.Errorf("write a message: %w", err)
	}
	m.Subject = texts.Text(m.Language, string(m.Kind)+".subject", pairs...)
	m.Text = texts.Text(m.Language, string(m.Kind)+".text", pairs...)
	return m, nil
}

package sandbox

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"

	"plexy/internal/connector"
	"plexy/internal/core/money"
	magic "plexy/internal/sandbox"
)

// ticketLife is how long an authentication may take.
const ticketLife = 15 * time.Minute

var errTicket = errors.New("it was not made here")

// ticket is all that an authentication needs to go on. It travels sealed, through the payer's browser or with
// our own session, so there is no table of authentications. It names a row of the table of cards, not a card.
type ticket struct {
	Purpose      string // what it may be used for
	Operation    string
	Merchant     string // our id
	Shop         string // as the payer knows it
	Amount       int64
	Currency     money.Currency
	Rule         int // of magic.Cards; -1 for every other card
	Last4        string
	Mastercard   bool
	Exempt       bool
	MethodDone   string
	Notification string
	MethodReturn string
	SessionData  string
	Frame        string
	At           int64 // when it was begun, in microseconds
	Tries        int   // wrong answers so far
}

// The purposes.
const (
	forSession   = "session"
	forMethod    = "method"
	forChallenge = "challenge"
)

func (t ticket) rule() magic.Card {
	if t.Rule < 0 {
		return magic.CardOf("")
	}
	return magic.Cards()[t.Rule]
}

// cipher seals tickets.
func (a *Acquirer) cipher() cipher.AEAD {
	block, err := aes.NewCipher(a.mac("ticket"))
	if err != nil {
		panic("sandbox: a digest of 32 bytes is a key")
	}
	sealer, err := cipher.NewGCM(block)
	if err != nil {
		panic("sandbox: AES has blocks of 16 bytes")
	}
	return sealer
}

// seal writes a ticket for a purpose. The nonce is a keyed digest of what is sealed: no two tickets share
// one, and the same ticket looks the same, so that a repeated call has the same answer.
func (a *Acquirer) seal(t ticket, purpose string) string {
	t.Purpose = purpose
	plain, err := json.Marshal(t)
	if err != nil {
		panic("sandbox: texts and numbers cannot fail to encode")
	}
	sealer := a.cipher()
	nonce := a.mac("nonce", string(plain))[:sealer.NonceSize()]
	return base64.RawURLEncoding.EncodeToString(sealer.Seal(nonce, nonce, plain, nil))
}

// open reads a ticket that was sealed for the purpose.
func (a *Acquirer) open(text, purpose string) (t ticket, err error) {
	sealed, err := base64.RawURLEncoding.DecodeString(text)
	sealer := a.cipher()
	if err != nil || len(sealed) < sealer.NonceSize() {
		return ticket{}, errTicket
	}
	plain, err := sealer.Open(nil, sealed[:sealer.NonceSize()], sealed[sealer.NonceSize():], nil)
	if err != nil {
		return ticket{}, errTicket
	}
	if err := json.Unmarshal(plain, &t); err != nil || t.Purpose != purpose || t.Rule >= len(magic.Cards()) {
		return ticket{}, errTicket
	}
	return t, nil
}

// over reports whether the authentication took too long.
func (a *Acquirer) over(t ticket) bool {
	return a.options.Clock.Now() > t.At+ticketLife.Microseconds()
}

// uuid makes an id of an authentication, always the same one.
func (a *Acquirer) uuid(t ticket, whose string) string {
	d := a.mac("uuid", whose, t.Operation)
	d[6], d[8] = d[6]&0x0f|0x40, d[8]&0x3f|0x80 // version 4, variant 1
	return fmt.Sprintf("%x-%x-%x-%x-%x", d[:4], d[4:6], d[6:8], d[8:10], d[10:16])
}

// proof is what can be said of any authentication with this outcome.
func (a *Acquirer) proof(t ticket, s connector.TransStatus, r connector.StatusReason) connector.Proof {
	p := connector.Proof{
		Status: s, Reason: r, Version: version, ServerID: a.uuid(t, "server"), DirectoryID: a.uuid(t, "directory"),
		ACSID: a.uuid(t, "acs"), Amount: t.Amount, Currency: t.Currency, Authenticated: t.At,
	}
	p.ECI = eci(t.Mastercard, s)
	if s == connector.Authenticated || s == connector.Attempted {
		p.Value = base64.StdEncoding.EncodeToString(a.mac("cavv", t.Operation)[:20])
	}
	return p
}

// eci is the electronic commerce indicator of an outcome, which Mastercard numbers in a way of its own.
func eci(mastercard bool, s connector.TransStatus) string {
	switch {
	case s == connector.InChallenge:
		return ""
	case s == connector.Authenticated && mastercard:
		return "02"
	case s == connector.Authenticated:
		return "05"
	case s == connector.Attempted && mastercard:
		return "01"
	case s == connector.Attempted:
		return "06"
	case mastercard:
		return "00"
	}
	return "07"
}

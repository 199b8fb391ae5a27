// Package receiver is for merchants: it verifies the webhooks that Plexy sends and hands over their events.
// It needs nothing but the standard library.
//
//	r, err := receiver.New(token, secret)
//	…
//	http.Handle("/plexy", r.Handler(func(ctx context.Context, e receiver.Event) error {
//		return orders.Note(ctx, e.ID, e.Name, e.Data) // an event may come twice: its ID tells
//	}))
//
// A delivery is signed as Standard Webhooks 1.0 says: HMAC-SHA-256 or Ed25519 over the id, the time and the
// body, in the headers webhook-id, webhook-timestamp and webhook-signature. It also carries the endpoint's
// token, as "Authorization: Bearer". With the endpoint's public key in place of its secret, a program that is
// broken into gives away nothing with which deliveries could be made up.
package receiver

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// MaxSkew is how far a delivery's time may be from the receiver's, either way. What is older may be a copy
// that somebody kept.
const MaxSkew = 300 * time.Second

// MaxBody is how many bytes of a body are read. Plexy's are at most 20 KiB of event and a little around it.
const MaxBody = 64 << 10

// Why a delivery, or what it should be verified with, is refused. Compare with errors.Is. No error contains
// anything of the secrets, the token or the signature.
var (
	// ErrSecret says that a secret is not "whsec_" and the base64 of 24 to 64 bytes, that a public key is not
	// "whpk_" and the base64 of 32 bytes, or that there is neither.
	ErrSecret = errors.New("receiver: not the secret or the public key of an endpoint")
	// ErrHeader says that a webhook header is missing, there twice, or not of its form.
	ErrHeader = errors.New("receiver: a webhook header is missing or malformed")
	// ErrTime says that the delivery is more than MaxSkew old, or from more than MaxSkew ahead.
	ErrTime = errors.New("receiver: the delivery is too old, or from the future")
	// ErrToken says that the Authorization header does not carry the endpoint's token.
	ErrToken = errors.New("receiver: wrong token")
	// ErrSignature says that no signature fits: the delivery is not from Plexy, or was altered on the way.
	ErrSignature = errors.New("receiver: no signature fits")
	// ErrBody says that a body with a good signature is not an event, or that a body is longer than MaxBody.
	ErrBody = errors.New("receiver: the body is not an event")
)

// What a secret and a public key look like, and how many bytes Standard Webhooks lets a secret have.
const (
	secretPrefix = "whsec_"
	publicPrefix = "whpk_"
	minSecret    = 24
	maxSecret    = 64
)

// Event is what a delivery tells. The same event may come more than once, and events of one object may
// overtake each other: ID tells doubles, Sequence tells order.
type Event struct {
	// ID names the event; all deliveries of it carry the same.
	ID string `json:"id"`
	// Number counts the merchant's events, from 1, without gaps.
	Number int64 `json:"number"`
	// Sequence counts the events of the object in Data. One with a lower sequence than was seen is old news.
	Sequence int64 `json:"sequence"`
	// Name says what happened, such as wallet.transaction.captured.
	Name string `json:"name"`
	// Version is the version of the form of Data.
	Version int `json:"version"`
	// MerchantID is whose event it is.
	MerchantID string `json:"merchantId"`
	// CreatedAt is when it happened, not when it was sent.
	CreatedAt time.Time `json:"createdAt"`
	// Operation is the change that the event tells of; nil for one that moves nothing, such as a refusal.
	Operation *Operation `json:"operation"`
	// Data is the object as the API shows it, at the time of the event; at a thin endpoint only its id and
	// sequence.
	Data json.RawMessage `json:"data"`
}

// Operation is one change of an object.
type Operation struct {
	// ID names the change, as the answer to the request that made it did.
	ID string `json:"operationId"`
	// Type is what was done, such as capture.
	Type string `json:"type"`
	// Amount is how much it was about, in minor units.
	Amount int64 `json:"amount"`
}

// Receiver verifies the deliveries to one endpoint. It never changes and may be used by any number of
// goroutines.
type Receiver struct {
	token   []byte
	keys    [][]byte
	publics []ed25519.PublicKey
}

// New makes the receiver of an endpoint from its token and secret, as they were shown when the endpoint was
// created, or its public key, as the API shows it if the endpoint is signed with Ed25519. A delivery is
// accepted when one of them fits: while a secret is rotated give both, the old one and the new one. With an
// empty token the Authorization header is not looked at; the signature decides alone. ErrSecret if one is
// neither.
func New(token string, secrets ...string) (*Receiver, error) {
	r := &Receiver{token: []byte(token)}
	for _, secret := range secrets {
		text, public := strings.CutPrefix(secret, publicPrefix)
		text, shared := strings.CutPrefix(text, secretPrefix)
		key, err := base64.StdEncoding.DecodeString(text)
		switch {
		case err != nil || public == shared:
			return nil, ErrSecret
		case public && len(key) == ed25519.PublicKeySize:
			r.publics = append(r.publics, key)
		case shared && len(key) >= minSecret && len(key) <= maxSecret:
			r.keys = append(r.keys, key)
		default:
			return nil, ErrSecret
		}
	}
	if len(r.keys)+len(r.publics) == 0 {
		return nil, ErrSecret
	}
	return r, nil
}

// Verify checks a delivery and returns its event. The body is the bytes as they came: parsed and written
// again they are other bytes. The errors are ErrHeader, ErrTime, ErrToken, ErrSignature and ErrBody.
func (r *Receiver) Verify(header http.Header, body []byte, now time.Time) (Event, error) {
	if err := r.authentic(header, body, now); err != nil {
		return Event{}, err
	}
	var e Event
	if err := json.Unmarshal(body, &e); err != nil {
		return Event{}, fmt.Errorf("%w: %w", ErrBody, err)
	}
	if e.ID == "" || e.Name == "" {
		return Event{}, fmt.Errorf("%w: it has no id or no name", ErrBody)
	}
	return e, nil
}

// authentic tells whether the delivery is from Plexy, to this endpoint, and of now.
func (r *Receiver) authentic(header http.Header, body []byte, now time.Time) error {
	id, err := one(header, "webhook-id")
	if err != nil {
		return err
	}
	if strings.Contains(id, ".") { // it would shift what is signed
		return fmt.Errorf("%w: webhook-id has a dot", ErrHeader)
	}
	stamp, err := one(header, "webhook-timestamp")
	if err != nil {
		return err
	}
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil {
		return fmt.Errorf("%w: webhook-timestamp is not a number of seconds", ErrHeader)
	}
	signatures, err := one(header, "webhook-signature")
	if err != nil {
		return err
	}
	if now.Sub(time.Unix(seconds, 0)).Abs() > MaxSkew {
		return ErrTime
	}
	if !r.hasToken(header) {
		return ErrToken
	}
	if !r.signed(id+"."+stamp+".", body, signatures) {
		return ErrSignature
	}
	return nil
}

// one returns the value of a header that must be there exactly once.
func one(header http.Header, name string) (string, error) {
	values := header.Values(name)
	if len(values) != 1 || values[0] == "" {
		return "", fmt.Errorf("%w: want one %s", ErrHeader, name)
	}
	return values[0], nil
}

func (r *Receiver) hasToken(header http.Header) bool {
	if len(r.token) == 0 {
		return true
	}
	scheme, token, _ := strings.Cut(header.Get("Authorization"), " ")
	return strings.EqualFold(scheme, "Bearer") && subtle.ConstantTimeCompare([]byte(token), r.token) == 1
}

// signed tells whether one of the signatures, separated by spaces, was made with one of the keys: "v1," and
// base64 with a secret, "v1a," and base64 with the private key to a public one. Signatures of other versions
// are passed over: one day there may be some.
func (r *Receiver) signed(head string, body []byte, signatures string) bool {
	for _, key := range r.keys {
		mac := hmac.New(sha256.New, key)
		_, _ = mac.Write([]byte(head)) // a hash never fails
		_, _ = mac.Write(body)
		want := []byte("v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)))
		for signature := range strings.SplitSeq(signatures, " ") {
			if hmac.Equal([]byte(signature), want) {
				return true
			}
		}
	}
	return len(r.publics) > 0 && r.signedByOwner(append([]byte(head), body...), signatures)
}

// maxTried is how many signatures of a delivery are tried with each public key: Plexy sends one, and two
// while the key is rotated. Each costs much more than comparing, and a stranger must not have us do it a
// thousand times.
const maxTried = 4

// signedByOwner tells whether one of the signatures was made by who has the private key to one of the public
// keys.
func (r *Receiver) signedByOwner(message []byte, signatures string) bool {
	tried := 0
	for signature := range strings.SplitSeq(signatures, " ") {
		text, ok := strings.CutPrefix(signature, "v1a,")
		raw, err := base64.StdEncoding.Strict().DecodeString(text)
		if !ok || err != nil || len(raw) != ed25519.SignatureSize || strings.ContainsAny(text, "\r\n") {
			continue // so that there is one text for each signature
		}
		if tried++; tried > maxTried {
			return false
		}
		for _, key := range r.publics {
			if ed25519.Verify(key, message, raw) {
				return true
			}
		}
	}
	return false
}

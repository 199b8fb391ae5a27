package bench

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"strconv"
)

// Operation is what a phase of the load does.
type Operation string

// The operations of the Wallet API that are measured. A capture takes the whole of an authorization made
// earlier by the same load, a cancel likewise, a refund the whole of a capture. A list reads pages of 20,
// following the cursor for ten pages from the newest.
const (
	Authorize Operation = "authorize"
	Capture   Operation = "capture"
	Cancel    Operation = "cancel"
	Refund    Operation = "refund"
	Get       Operation = "get"
	List      Operation = "list"
)

// amountMinor is the amount of every authorization: 15.00 KZT.
const amountMinor = 1500

const (
	listPath = "/v1/wallet/transactions/?limit=20"
	// pagesDeep is how far a list follows the cursor before it starts again at the newest.
	pagesDeep = 10
)

// Payer is a customer as a merchant knows him; made up, never a person's.
type Payer struct {
	Phone string `json:"phone"` // E.164
	IIN   string `json:"iin"`   // 12 digits
}

// composer writes requests into one buffer that it uses again: building one allocates nothing.
type composer struct {
	apiKey string
	head   []byte
	body   []byte
}

// post returns a POST with a fresh random Idempotency-Key (UUID v4) and the composer's body.
func (c *composer) post(path ...string) []byte {
	b := append(c.head[:0], "POST "...)
	for _, part := range path {
		b = append(b, part...)
	}
	b = append(b, " HTTP/1.1\r\nHost: bench\r\nAuthorization: "...)
	b = append(b, c.apiKey...)
	b = append(b, "\r\nContent-Type: application/json\r\nIdempotency-Key: "...)
	b = appendUUID(b)
	b = append(b, "\r\nContent-Length: "...)
	b = strconv.AppendInt(b, int64(len(c.body)), 10)
	b = append(b, "\r\n\r\n"...)
	b = append(b, c.body...)
	c.head = b
	return b
}

func (c *composer) get(path ...string) []byte {
	b := append(c.head[:0], "GET "...)
	for _, part := range path {
		b = append(b, part...)
	}
	b = append(b, " HTTP/1.1\r\nHost: bench\r\nAuthorization: "...)
	b = append(b, c.apiKey...)
	b = append(b, "\r\n\r\n"...)
	c.head = b
	return b
}

// authorize returns an authorization of amountMinor by the payer. The reference is a shop's running
// number, or 16 random letters when it is negative: digits could look like a card number, and be refused.
func (c *composer) authorize(p Payer, reference int64) []byte {
	b := append(c.body[:0], `{"amount":`...)
	b = strconv.AppendInt(b, amountMinor, 10)
	b = append(b, `,"phoneNumber":"`...)
	b = append(b, p.Phone...)
	b = append(b, `","iin":"`...)
	b = append(b, p.IIN...)
	b = append(b, `","orderReference":"ORDER-`...)
	b = appendReference(b, reference)
	c.body = append(b, `","currency":"KZT"}`...)
	return c.post("/v1/wallet/authorize")
}

// operate returns a capture, cancel or refund of the whole of an authorization.
func (c *composer) operate(kind Operation, transactionID string) []byte {
	b := append(c.body[:0], `{"amount":`...)
	b = strconv.AppendInt(b, amountMinor, 10)
	c.body = append(b, '}')
	return c.post("/v1/wallet/", transactionID, "/", string(kind))
}

func appendReference(b []byte, reference int64) []byte {
	if reference < 0 {
		for random, n := rand.Uint64(), 0; n < 16; n++ {
			b = append(b, 'a'+byte(random&15))
			random >>= 4
		}
		return b
	}
	for bound := int64(100_000); bound > reference && bound > 1; bound /= 10 {
		b = append(b, '0')
	}
	return strconv.AppendInt(b, reference, 10)
}

// appendUUID appends a random UUID version 4. It only has to be unlike the others, so it comes from the
// runtime's generator and not from the system's.
func appendUUID(b []byte) []byte {
	var u [16]byte
	binary.BigEndian.PutUint64(u[:8], rand.Uint64())
	binary.BigEndian.PutUint64(u[8:], rand.Uint64())
	u[6] = u[6]&0x0f | 0x40
	u[8] = u[8]&0x3f | 0x80
	b = append(hex.AppendEncode(b, u[:4]), '-')
	b = append(hex.AppendEncode(b, u[4:6]), '-')
	b = append(hex.AppendEncode(b, u[6:8]), '-')
	b = append(hex.AppendEncode(b, u[8:10]), '-')
	return hex.AppendEncode(b, u[10:])
}

package httpapi

import (
	"bytes"
	"errors"
	"io"
	"mime"

	"github.com/go-json-experiment/json/jsontext"

	"plexy/internal/core/reject"
)

const (
	// maxBody is the largest body, in bytes (rule 6.3).
	maxBody = 256 << 10
	// maxDepth is how deep JSON may nest.
	maxDepth = 32
	// bodyKept is the largest buffer that is kept for the next request.
	bodyKept = 16 << 10
)

var errTooLarge = errors.New("body too large")

// body is a received body and the decoder that walks over it. It stays with its call, which is used again:
// nothing that outlives the request may point into it.
type body struct {
	buffer  bytes.Buffer
	limited io.LimitedReader
	decoder jsontext.Decoder
}

// receive reads the body and checks size, content type, idempotency header and that neither holds a card
// number, in this order.
func (c *call) receive() problem {
	switch err := c.body.read(c.request.Body, c.request.ContentLength); {
	case errors.Is(err, errTooLarge):
		return problem{reason: reject.BodyTooLarge, source: "body"}
	case err != nil: // the caller stopped sending, or sent what is not HTTP
		c.Trouble = err
		return problem{reason: reject.BodyInvalid, source: "body"}
	}
	if !isJSON(c.request.Header["Content-Type"]) && !c.bodiless() {
		return problem{reason: reject.ContentTypeNotJSON, source: "Content-Type"}
	}
	key, no := idempotencyKey(c.request.Header["Idempotency-Key"], c.route.Idempotency)
	if c.key = key; no.reason != "" {
		return no
	}
	return c.guard()
}

// bodiless reports whether no body was sent where none is needed: then nobody asks what type it is.
func (c *call) bodiless() bool {
	return (c.route.Idempotency == Ignored || c.route.Bare) && c.body.buffer.Len() == 0
}

// read takes the whole body, or errTooLarge. length is the announced length, -1 when it is not known.
func (b *body) read(from io.Reader, length int64) error {
	if b.buffer.Cap() > bodyKept {
		b.buffer = bytes.Buffer{}
	}
	b.buffer.Reset()
	if length > maxBody {
		return errTooLarge
	}
	if from == nil {
		return nil
	}
	b.limited = io.LimitedReader{R: from, N: maxBody + 1}
	n, err := b.buffer.ReadFrom(&b.limited)
	b.limited.R = nil
	if n > maxBody {
		return errTooLarge
	}
	return err
}

// isJSON accepts application/json with any parameters.
func isJSON(values []string) bool {
	if len(values) != 1 {
		return false
	}
	if values[0] == "application/json" {
		return true
	}
	kind, _, err := mime.ParseMediaType(values[0])
	return err == nil && kind == "application/json"
}

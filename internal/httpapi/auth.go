package httpapi

import (
	"errors"
	"strings"

	"plexy/internal/access"
	"plexy/internal/core/reject"
	"plexy/internal/storage"
)

const bearer = "Bearer "

// authenticate finds the API key and with it the merchant. The header carries the key as it is, or after
// the word Bearer.
func (a *API) authenticate(c *call) problem {
	values := c.request.Header["Authorization"]
	if len(values) == 0 || len(values) == 1 && values[0] == "" {
		return problem{reason: reject.APIKeyMissing, source: "Authorization"}
	}
	secret := secretOf(values[0])
	if len(values) > 1 || !access.WellFormed(secret) {
		return problem{reason: reject.APIKeyUnknown, source: "Authorization"}
	}
	key, err := a.options.Keys.KeyByHash(c.ctx, access.HashOf(secret))
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return problem{reason: reject.APIKeyUnknown, source: "Authorization"}
	case err != nil:
		c.Trouble = err
		return problem{reason: reject.QueueFull, source: "server"}
	case key.RevokedAt != 0:
		return problem{reason: reject.APIKeyUnknown, source: "Authorization"}
	}
	c.Merchant, c.Key = key.Merchant, key.ID
	return problem{}
}

// secretOf is the API key in an Authorization header.
func secretOf(header string) string {
	if len(header) > len(bearer) && strings.EqualFold(header[:len(bearer)], bearer) {
		return strings.TrimLeft(header[len(bearer):], " ")
	}
	return header
}

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
		return problem{reject.APIKeyMissing, "Authorization"}
	}
	secret := values[0]
	if len(secret) > len(bearer) && strings.EqualFold(secret[:len(bearer)], bearer) {
		secret = strings.TrimLeft(secret[len(bearer):], " ")
	}
	if len(values) > 1 || !access.WellFormed(secret) {
		return problem{reject.APIKeyUnknown, "Authorization"}
	}
	key, err := a.options.Keys.KeyByHash(c.ctx, access.HashOf(secret))
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return problem{reject.APIKeyUnknown, "Authorization"}
	case err != nil:
		c.Trouble = err
		return problem{reject.QueueFull, "server"}
	case key.RevokedAt != 0:
		return problem{reject.APIKeyUnknown, "Authorization"}
	}
	c.Merchant, c.Key = key.Merchant, key.ID
	return problem{}
}

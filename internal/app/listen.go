package app

import (
	"context"
	"errors"

	"plexy/internal/access"
	"plexy/internal/config"
	"plexy/internal/webhook"
)

// Listening says what plexy listen follows and where it posts to.
type Listening = webhook.Listening

// Listen follows a merchant's feed over the API until ctx ends, and posts every event to l.Forward.
func Listen(ctx context.Context, cfg config.Config, l Listening) error {
	if !access.WellFormed(cfg.APIKey) {
		return usage("the setting api_key (PLEXY_API_KEY) must hold the merchant's API key")
	}
	l.APIKey = cfg.APIKey
	err := webhook.Listen(ctx, l)
	if errors.Is(err, webhook.ErrFeed) {
		return errors.Join(ErrRefused, err)
	}
	return err
}

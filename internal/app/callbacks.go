package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"plexy/internal/event"
	"plexy/internal/storage"
	"plexy/internal/webhook"
)

// callback names, among a merchant's endpoints, the one through which the addresses are told that its
// payments name (see event.NewCallbacks).
const callback = "callback"

// WebhookSecret is what a merchant verifies with that is told at addresses which its payments name.
type WebhookSecret struct {
	MerchantID string `json:"merchantId"`
	Token      string `json:"token"`  // comes as Authorization: Bearer
	Secret     string `json:"secret"` // signs as Standard Webhooks do
	// PreviousUntil is until when the secret before signs, too, as RFC 3339; null when it does not.
	PreviousUntil *string `json:"previousSecretUntil"`
}

// told finds the endpoint of a merchant that was told something: one of its own, or callback.
func (a *App) told(ctx context.Context, merchant, endpoint string) (event.Endpoint, error) {
	if endpoint != callback {
		return a.endpoint(ctx, merchant, endpoint)
	}
	e, _, err := a.callbacks(ctx, merchant)
	return e, err
}

// callbacks returns the merchant's callbacks, and whether they were written: they are not while nothing was
// delivered through them.
func (a *App) callbacks(ctx context.Context, merchant string) (e event.Endpoint, there bool, err error) {
	if _, err := a.merchant(ctx, merchant); err != nil {
		return e, false, err
	}
	e, err = a.Storage.Endpoint(ctx, merchant, event.CallbacksID(merchant))
	if errors.Is(err, storage.ErrNotFound) {
		return event.NewCallbacks(merchant, a.clock.Now()), false, nil
	}
	return e, err == nil, err
}

// WebhookSecret shows what the addresses verify with that the merchant's payments name.
func (a *App) WebhookSecret(ctx context.Context, merchant string) (WebhookSecret, error) {
	e, err := a.told(ctx, merchant, callback)
	if err != nil {
		return WebhookSecret{}, err
	}
	return a.webhookSecret(e)
}

func (a *App) webhookSecret(e event.Endpoint) (WebhookSecret, error) {
	key, err := webhook.NewKey(a.master.WebhookKey())
	v := WebhookSecret{
		MerchantID: e.Merchant, Token: key.Token(e.ID, e.Token).Reveal(),
		Secret: key.Secret(e.ID, e.Secret).Reveal(),
	}
	if e.PreviousUntil > a.clock.Now() {
		until := rfc3339(e.PreviousUntil)
		v.PreviousUntil = &until
	}
	return v, err
}

// NewWebhookSecret says what RotateWebhookSecret does.
type NewWebhookSecret struct {
	Overlap time.Duration // how long the secret before signs, too: 0 to 7 days
	Token   bool          // the token is another one, too, from now on: there can only be one
	Reason  string
}

// RotateWebhookSecret makes a new secret for the addresses that the merchant's payments name.
func (a *App) RotateWebhookSecret(
	ctx context.Context, merchant string, r NewWebhookSecret,
) (WebhookSecret, error) {
	if r.Overlap < 0 || r.Overlap > 7*24*time.Hour {
		return WebhookSecret{}, usage("the overlap is 0s to 168h")
	}
	before := int64(0)
	rotate := func(e *event.Endpoint) error {
		if before == 0 {
			before = e.Secret
		}
		if e.Secret != before { // somebody else does the same right now
			return nil
		}
		e.Secret, e.PreviousUntil = before+1, a.clock.Now()+r.Overlap.Microseconds()
		if r.Token {
			e.Token++
		}
		return nil
	}
	return a.changeCallbacks(ctx, merchant, endpointEdit{"webhook.rotate", r.Reason, rotate})
}

// changeCallbacks writes a change of the merchant's callbacks, which are made if they are not there.
func (a *App) changeCallbacks(
	ctx context.Context, merchant string, edit endpointEdit,
) (WebhookSecret, error) {
	for range changeTries {
		e, there, err := a.callbacks(ctx, merchant)
		if err != nil {
			return WebhookSecret{}, err
		}
		was := e
		if !there {
			if err := a.Storage.CreateEndpoint(ctx, e, a.audit("webhook.create", e.ID, edit.reason)); err != nil {
				return WebhookSecret{}, err
			}
		}
		if err := edit.apply(&e); err != nil {
			return WebhookSecret{}, err
		}
		e.UpdatedAt = a.clock.Now()
		audit := a.audit(edit.action, e.ID, edit.reason)
		audit.Before, audit.After = describeCallbacks(was), describeCallbacks(e)
		switch err := a.Storage.SetEndpoint(ctx, e, audit); {
		case err == nil:
			return a.webhookSecret(e)
		case !errors.Is(err, storage.ErrConflict):
			return WebhookSecret{}, err
		}
	}
	return WebhookSecret{}, fmt.Errorf("%w: it is being changed by others; try again", ErrRefused)
}

func describeCallbacks(e event.Endpoint) string {
	return fmt.Sprintf("secret=%d token=%d", e.Secret, e.Token)
}

package main

import (
	"strings"
	"testing"

	"plexy/internal/app"
)

// TestWebhookSecret: shown as often as it is asked for, rotated with an overlap, the token only on demand.
func TestWebhookSecret(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		shop := r.shop()
		var first, again, second, third app.WebhookSecret
		r.record(&first, "merchant", "webhook-secret", "show", shop.MerchantID)
		r.record(&again, "merchant", "webhook-secret", "show", shop.MerchantID)
		if again != first || !strings.HasPrefix(first.Secret, "whsec_") ||
			!strings.HasPrefix(first.Token, "whtok_") || first.PreviousUntil != nil ||
			first.MerchantID != shop.MerchantID {
			t.Errorf("show printed %+v and %+v", first, again)
		}
		r.record(&second, "merchant", "webhook-secret", "rotate", shop.MerchantID, "--reason", "leaked")
		if second.Secret == first.Secret || second.Token != first.Token || second.PreviousUntil == nil {
			t.Errorf("rotated: %+v", second)
		}
		r.record(&third, "merchant", "webhook-secret", "rotate", shop.MerchantID, "--token", "--overlap", "0s")
		if third.Secret == second.Secret || third.Token == second.Token || third.PreviousUntil != nil {
			t.Errorf("rotated with the token: %+v", third)
		}
		shown := r.do("merchant", "webhook-secret", "show", shop.MerchantID)
		if !strings.Contains(shown, third.Secret) || !strings.Contains(shown, third.Token) {
			t.Errorf("show printed %s", shown)
		}
		r.refuse(exitUsage, "168h", "merchant", "webhook-secret", "rotate", shop.MerchantID, "--overlap", "169h")
		r.refuse(exitRefused, "no merchant", "merchant", "webhook-secret", "show", "mer_1")
		var none []app.Delivery
		r.record(&none, "webhook", "deliveries", "--merchant", shop.MerchantID, "callback")
		var endpoints []app.Endpoint
		r.record(&endpoints, "webhook", "list", "--merchant", shop.MerchantID)
		if len(none)+len(endpoints) != 0 {
			t.Errorf("%+v, %+v", none, endpoints)
		}
		r.refuse(exitRefused, "no endpoint", "webhook", "delete", "--merchant", shop.MerchantID, "callback")
	})
}

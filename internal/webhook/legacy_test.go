package webhook_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"testing"

	"plexy/internal/core/payment"
	"plexy/internal/event"
	"plexy/internal/view"
	"plexy/internal/webhook"
)

// TestLegacySignature: what the plug-in's PHP does, in other words: the texts one after the other, under the
// key without its pr_.
func TestLegacySignature(t *testing.T) {
	e := event.Event{Payment: &payment.Payment{
		Facts: payment.Facts{
			ID: "019a2a22-1b0d-7732-9672-134baf97b06c", Currency: "KZT", Amount: 10_050, OrderReference: `wc "1" ы`,
		},
		Stage: payment.Approved, Authorized: 10_050,
	}}
	for _, c := range []struct {
		minor          int64
		stage          payment.Stage
		amount, answer string
	}{
		{10_050, payment.Approved, "100.5", "true"}, {10_000, payment.Approved, "100", "true"},
		{12_627, payment.Rejected, "126.27", "false"},
	} {
		e.Payment.Amount, e.Payment.Authorized, e.Payment.Stage = c.minor, c.minor, c.stage
		got, err := webhook.LegacySign("pr_00112233445566778899aabbccddeeff", view.Legacy(nil, &e))
		mac := hmac.New(sha256.New, []byte("00112233445566778899aabbccddeeff"))
		mac.Write([]byte("019a2a22-1b0d-7732-9672-134baf97b06c" + c.amount + "KZT" + `wc "1" ы` + c.answer))
		if want := hex.EncodeToString(mac.Sum(nil)); err != nil || got != want {
			t.Errorf("%d: %s (%v), want %s", c.minor, got, err, want)
		}
	}
	if got, err := webhook.LegacySign("k", []byte("{")); err == nil || got != "" {
		t.Errorf("what is no JSON is signed: %s", got)
	}
}

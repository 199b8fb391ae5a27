package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// LegacySignature is the header that signs what a payment session's callback is told.
const LegacySignature = "X-Signature"

// LegacySign signs the body of a session's callback as the published plug-in verifies it (clients-contract.md
// §3): HMAC-SHA-256, in lower-case hex, of id, amount, currency, orderReference and true or false, without
// anything between; the key is the API key, as text, without every pr_. The amount is PHP's text of the
// number, which is the number as the body has it: view.Legacy writes it so, and none has more than the 14
// digits that PHP keeps (payment.MaxAmount).
func LegacySign(apiKey string, body []byte) (string, error) {
	var b struct {
		ID             string      `json:"id"`
		Amount         json.Number `json:"amount"`
		Currency       string      `json:"currency"`
		OrderReference string      `json:"orderReference"`
		Success        bool        `json:"success"`
	}
	if err := json.Unmarshal(body, &b); err != nil {
		return "", fmt.Errorf("webhook: a legacy body: %w", err)
	}
	mac := hmac.New(sha256.New, []byte(strings.ReplaceAll(apiKey, "pr_", "")))
	_, _ = mac.Write([]byte(b.ID + b.Amount.String() + b.Currency + b.OrderReference +
		strconv.FormatBool(b.Success))) // a hash never fails
	return hex.EncodeToString(mac.Sum(nil)), nil
}

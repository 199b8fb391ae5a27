package httpapi_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"maps"
	"testing"

	"plexy/internal/httpapi"
	"plexy/internal/server"
	"plexy/internal/vault"
)

// padded is the rig with a setting of direct_padding.
func padded(t *testing.T, padding vault.Padding) *payRig {
	return newPayRig(t, func(_ *rig, o *httpapi.Options, _ *server.Options) { o.Padding = padding })
}

// old encrypts as clients did that know no OAEP: PKCS #1 v1.5, what openssl_public_encrypt does unless told.
func (p *payRig) old(text string) string {
	c, err := rsa.EncryptPKCS1v15(rand.Reader, p.public, []byte(text))
	check(p.t, err)
	return base64.StdEncoding.EncodeToString(c)
}

func (p *payRig) typedOld(number string) map[string]any {
	return map[string]any{
		"encryptedCardNumber": p.old(number), "encryptedExpiryMonth": p.old("12"),
		"encryptedExpiryYear": p.old("29"), "encryptedCvv": p.old("123"),
		"encryptedCardholderName": p.old("AIGERIM K"),
	}
}

// Under the setting old clients pay; without it their cards get the answer of every bad ciphertext, and under
// it so do those of new clients. No other word, whatever is wrong.
func TestPaddingIsASetting(t *testing.T) {
	for padding, other := range map[vault.Padding]vault.Padding{
		vault.OAEP: vault.PKCS1v15, vault.PKCS1v15: vault.OAEP,
	} {
		p := padded(t, padding)
		good, stranger, encrypt := p.typed(goodCard, "123"), p.typedOld(goodCard), p.encrypted
		if padding == vault.PKCS1v15 {
			good, stranger, encrypt = stranger, good, p.old
		}
		a := p.direct(with{"cardData": good, skip: true})
		if a.status != 200 || a.fields["success"] != true || a.text("cardMask") != "******1881" ||
			a.text("cardholderName") != "AIGERIM K" || a.text("cvvStatus") != "M" {
			t.Errorf("padding %d: %d %s", padding, a.status, a.body)
		}
		random := make([]byte, 256)
		_, _ = rand.Read(random) // never fails
		random[0] = 0            // below the modulus
		for field := range good {
			answers := map[string]string{}
			for name, bad := range map[string]any{
				"the other padding": stranger[field], "not base64": "*", "short": "AAAA",
				"random": base64.StdEncoding.EncodeToString(random), "letters": encrypt("!\x00"),
			} {
				card := maps.Clone(good)
				card[field] = bad
				a := p.direct(with{"cardData": card, skip: true})
				if a.status != 400 || a.text("source") != "cardData."+field {
					t.Errorf("padding %d (not %d), %s, %s: %d %s", padding, other, field, name, a.status, a.body)
				}
				delete(a.fields, "requestId")
				answers[a.text("reason")+a.text("message")] = name
			}
			if len(answers) != 1 {
				t.Errorf("padding %d: %s is answered in several ways: %v", padding, field, answers)
			}
		}
	}
}

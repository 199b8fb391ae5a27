package vault_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"plexy/internal/card"
	"plexy/internal/vault"
)

// directKey is one key for all tests: making one is slow.
type directKey struct {
	vault  *vault.Vault
	public string
	sealed []byte
	key    *vault.DirectKey
}

func newDirectKey(t testing.TB) directKey {
	t.Helper()
	k := directKey{vault: newVault(t)}
	var err error
	if k.public, k.sealed, err = k.vault.NewDirectKey("key_1"); err != nil {
		t.Fatal(err)
	}
	if k.key, err = k.vault.OpenDirectKey(k.vault.KeyID(), "key_1", k.sealed); err != nil {
		t.Fatal(err)
	}
	return k
}

func publicKey(t testing.TB, text string) *rsa.PublicKey {
	t.Helper()
	block, rest := pem.Decode([]byte(text))
	if block == nil || block.Type != "PUBLIC KEY" || len(rest) != 0 {
		t.Fatalf("not one PEM block: %q", text)
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return key.(*rsa.PublicKey)
}

func encryptOAEP(t testing.TB, public, text string) string {
	t.Helper()
	c, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, publicKey(t, public), []byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(c)
}

func encryptPKCS1(t testing.TB, public, text string) string {
	t.Helper()
	c, err := rsa.EncryptPKCS1v15(rand.Reader, publicKey(t, public), []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(c)
}

// paddings are both ways to encrypt.
var paddings = map[vault.Padding]func(testing.TB, string, string) string{
	vault.OAEP: encryptOAEP, vault.PKCS1v15: encryptPKCS1,
}

func TestDirectKey(t *testing.T) {
	k := newDirectKey(t)
	public := publicKey(t, k.public)
	if public.N.BitLen() != 2048 || public.E != 65537 {
		t.Errorf("a key of %d bits, exponent %d", public.N.BitLen(), public.E)
	}
	other := newVault(t)
	for what, err := range map[string]error{
		"another record": errorOf(k.vault.OpenDirectKey(k.vault.KeyID(), "key_2", k.sealed)),
		"another vault":  errorOf(other.OpenDirectKey(other.KeyID(), "key_1", k.sealed)),
		"no key": errorOf(k.vault.OpenDirectKey(k.vault.KeyID(), "key_1",
			seal(t, k.vault, vault.PurposeDirectKey, "key_1", "no key"))),
	} {
		if !errors.Is(err, vault.ErrSealed) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for verb := range strings.FieldsSeq("%v %+v %#v %s %d %x") {
		shown := fmt.Sprintf(verb, k.key)
		if shown != "vault.DirectKey(hidden)" {
			t.Errorf("%s shows %s", verb, shown)
		}
	}
}

func errorOf[T any](_ T, err error) error { return err }

func TestDecryptReadsACard(t *testing.T) {
	k := newDirectKey(t)
	for padding, encrypt := range paddings {
		e := func(text string) string { return encrypt(t, k.public, text) }
		c, err := k.key.Decrypt(padding, vault.EncryptedCard{
			Number: e(pan), Month: e("12"), Year: e("29"), CVV: e("123"), Holder: e("Айгүл  HOLDER"),
		})
		if err != nil || c.Number.Reveal() != pan || c.CVV.RevealToAcquirer() != "123" ||
			c.Expiry != (card.Expiry{Year: 2029, Month: 12}) || c.Holder != "Айгүл  HOLDER" {
			t.Errorf("padding %d: %v, %v, %v", padding, c, c.Expiry, err)
		}
		s := fmt.Sprintf("%v %+v %#v %s", c, c, c, &c)
		if strings.Contains(s, "HOLDER") || strings.Contains(s, "123") {
			t.Errorf("a card is shown as %s", s)
		}
		all := vault.EncryptedCard{Number: e("4111 1111 1111 1111"), Month: e("1"), Year: e("2031")}
		c, err = k.key.Decrypt(padding, all)
		if err != nil || c.Number.Reveal() != pan || !c.CVV.IsZero() || c.Holder != "" ||
			c.Expiry.String() != "01/31" {
			t.Errorf("padding %d, without the rest: %v, %v, %v", padding, c, c.Expiry, err)
		}
		if c, err := k.key.Decrypt(padding, vault.EncryptedCard{}); err != nil || c != (card.Card{}) {
			t.Errorf("padding %d, nothing sent: %v, %v", padding, c, err)
		}
		all.Number = e("4111111111111110")
		_, err = k.key.Decrypt(padding, all)
		if !errors.Is(err, card.ErrCheckDigit) {
			t.Errorf("padding %d, mistyped: %v", padding, err)
		}
		_, err = k.key.Decrypt(padding, vault.EncryptedCard{Number: e("4111111111111110"), CVV: e("x")})
		if err != vault.BadField("encryptedCvv") {
			t.Errorf("padding %d, mistyped and worse: %v", padding, err)
		}
	}
}

// TestBadFieldsAreNamedAndNothingMore: whatever is wrong with a field, the error is the same.
func TestBadFieldsAreNamedAndNothingMore(t *testing.T) {
	k, stranger := newDirectKey(t), newDirectKey(t)
	n := publicKey(t, k.public).N
	raw := func(c []byte) string { return base64.StdEncoding.EncodeToString(c) }
	for padding, encrypt := range paddings {
		e := func(text string) string { return encrypt(t, k.public, text) }
		good := e("12")
		for what, text := range map[string]string{
			"not base64": strings.Repeat("*", 344), "short": "AAAA", "long": strings.Repeat("A", 400),
			"one more":     good + "=",
			"url alphabet": strings.Repeat("_", 342) + "==", "newlines": good[:100] + "\n" + good[100:],
			"zero": raw(make([]byte, 256)), "one": raw(append(make([]byte, 255), 1)), "modulus": raw(n.Bytes()),
			"below modulus":   raw(new(big.Int).Sub(n, big.NewInt(1)).Bytes()),
			"above modulus":   raw(new(big.Int).Add(n, big.NewInt(2)).FillBytes(make([]byte, 256))),
			"another key":     encrypt(t, stranger.public, "12"),
			"another padding": paddings[1-padding](t, k.public, "12"),
			"altered":         altered(t, good, n), "letters": e("x"), "nothing in it": e(""),
			"too long": e(strings.Repeat("1", 100)),
		} {
			for i, field := range []string{
				"encryptedCardNumber", "encryptedExpiryMonth", "encryptedExpiryYear", "encryptedCvv",
			} {
				all := vault.EncryptedCard{}
				*[]*string{&all.Number, &all.Month, &all.Year, &all.CVV}[i] = text
				c, err := k.key.Decrypt(padding, all)
				if err != vault.BadField(field) || c != (card.Card{}) {
					t.Errorf("padding %d, %s of %s: %v", padding, field, what, err)
				}
			}
		}
		_, err := k.key.Decrypt(padding, vault.EncryptedCard{Holder: e("4111 1111 1111 1111")})
		if err != vault.BadField("encryptedCardholderName") || strings.Contains(err.Error(), "4111") {
			t.Errorf("a number for a name: %v", err)
		}
		_, err = k.key.Decrypt(padding, vault.EncryptedCard{Holder: "x", Year: "y"})
		if err != vault.BadField("encryptedExpiryYear") {
			t.Errorf("two bad fields: %v", err)
		}
	}
}

// altered multiplies the clear text by two, as everybody can with the public key alone.
func altered(t testing.TB, text string, n *big.Int) string {
	t.Helper()
	c, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	two := new(big.Int).Exp(big.NewInt(2), big.NewInt(65537), n)
	product := two.Mul(two, new(big.Int).SetBytes(c))
	return base64.StdEncoding.EncodeToString(product.Mod(product, n).FillBytes(make([]byte, 256)))
}

func FuzzDecrypt(f *testing.F) {
	k := newDirectKey(f)
	f.Add("", "", "")
	f.Add(encryptOAEP(f, k.public, pan), encryptOAEP(f, k.public, "12"), "x")
	f.Fuzz(func(t *testing.T, number, cvv, holder string) {
		for padding := range paddings {
			c, err := k.key.Decrypt(padding, vault.EncryptedCard{Number: number, CVV: cvv, Holder: holder})
			if err != nil && c != (card.Card{}) {
				t.Fatal("an error and a card")
			}
			again, same := k.key.Decrypt(padding, vault.EncryptedCard{Number: number, CVV: cvv, Holder: holder})
			if again != c || same != err {
				t.Fatalf("the second answer is %v, the first %v", same, err)
			}
		}
	})
}

func BenchmarkDecrypt(b *testing.B) {
	k := newDirectKey(b)
	for name, padding := range map[string]vault.Padding{"OAEP": vault.OAEP, "PKCS1v15": vault.PKCS1v15} {
		e := func(text string) string { return paddings[padding](b, k.public, text) }
		all := vault.EncryptedCard{Number: e(pan), Month: e("12"), Year: e("29"), CVV: e("123"), Holder: e("A B")}
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := k.key.Decrypt(padding, all); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

package vault

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"io"
	"math/big"
	"strings"
	"testing"
)

// counted counts what an RSA key does, with what padding and how many bytes.
type counted struct {
	crypto.Decrypter
	did []string
}

func (c *counted) Decrypt(r io.Reader, m []byte, o crypto.DecrypterOpts) ([]byte, error) {
	_, oaep := o.(*rsa.OAEPOptions)
	c.did = append(c.did, fmt.Sprintf("decrypt %d bytes, OAEP %v", len(m), oaep))
	return c.Decrypter.Decrypt(r, m, o)
}

// TestBadCiphertextsTakeTheSameWork counts instead of timing: whatever is wrong with whichever field, the key
// does the same as for a good card, and no operation is given up early.
func TestBadCiphertextsTakeTheSameWork(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, directBits)
	if err != nil {
		t.Fatal(err)
	}
	work := &counted{Decrypter: key}
	k := &DirectKey{private: work, public: &key.PublicKey, instead: make([]byte, 32)}
	raw := base64.StdEncoding.EncodeToString
	for _, padding := range []Padding{OAEP, PKCS1v15} {
		encrypt := func(text string) string {
			c, err := rsa.EncryptPKCS1v15(rand.Reader, &key.PublicKey, []byte(text))
			if padding == OAEP {
				c, err = rsa.EncryptOAEP(crypto.SHA256.New(), rand.Reader, &key.PublicKey, []byte(text), nil)
			}
			if err != nil {
				t.Fatal(err)
			}
			return raw(c)
		}
		good := EncryptedCard{
			Number: encrypt("4111111111111111"), Month: encrypt("12"), Year: encrypt("29"), CVV: encrypt("123"),
			Holder: encrypt("A HOLDER"),
		}
		if _, err := k.Decrypt(padding, good); err != nil {
			t.Fatal(err)
		}
		want := strings.Join(work.did, "\n")
		if len(work.did) != 5 {
			t.Fatalf("five fields took\n%s", want)
		}
		above := new(big.Int).Add(key.N, big.NewInt(1)).FillBytes(make([]byte, directBytes))
		for what, bad := range map[string]string{
			"no base64": "*", "too short": "AAAA", "too long": strings.Repeat("A", 4000),
			"zero": raw(make([]byte, directBytes)), "other text": encrypt("x"),
			"above the modulus": raw(above), "nonsense": raw(bytes.Repeat([]byte{1}, directBytes)),
		} {
			for field := range 5 {
				all := good
				*[]*string{&all.Number, &all.Month, &all.Year, &all.CVV, &all.Holder}[field] = bad
				work.did = nil
				_, err := k.Decrypt(padding, all)
				if got := strings.Join(work.did, "\n"); got != want || err == nil && what != "other text" {
					t.Errorf("padding %d, field %d, %s: %v after\n%s\nwant\n%s", padding, field, what, err, got, want)
				}
			}
		}
		work.did = nil
	}
}

// TestRejectionIsImplicit: a badly padded ciphertext has a message, always the same, of any length, that
// depends on ciphertext and key.
func TestRejectionIsImplicit(t *testing.T) {
	k, other := &DirectKey{instead: []byte{1}}, &DirectKey{instead: []byte{2}}
	lengths := map[int]bool{}
	seen := map[[directBytes]byte]bool{}
	for n := range 2000 {
		ciphertext := []byte(fmt.Sprint(n))
		room, used := k.rejected(ciphertext)
		again, same := k.rejected(ciphertext)
		foreign, _ := other.rejected(ciphertext)
		if room != again || used != same || room == foreign || seen[room] || used < 0 || used > 245 {
			t.Fatalf("ciphertext %d: %d bytes, again %d bytes, or not its own", n, used, same)
		}
		seen[room], lengths[used] = true, true
	}
	if len(lengths) < 240 {
		t.Errorf("%d different lengths", len(lengths))
	}
	key, err := rsa.GenerateKey(rand.Reader, directBits)
	if err != nil {
		t.Fatal(err)
	}
	k.private, k.public = key, &key.PublicKey
	nonsense := bytes.Repeat([]byte{1}, directBytes)
	var p plain
	k.decrypt(PKCS1v15, base64.StdEncoding.EncodeToString(nonsense), &p)
	if room, used := k.rejected(nonsense); p.room != room || p.used != used || p.bad || !p.sent {
		t.Errorf("a badly padded ciphertext is read as %d bytes, bad %v", p.used, p.bad)
	}
}

func TestDecryptForgetsClearText(t *testing.T) {
	var p plain
	key, err := rsa.GenerateKey(rand.Reader, directBits)
	if err != nil {
		t.Fatal(err)
	}
	k := &DirectKey{private: key, public: &key.PublicKey, instead: make([]byte, 32)}
	c, err := rsa.EncryptPKCS1v15(rand.Reader, &key.PublicKey, []byte("4111111111111111"))
	if err != nil {
		t.Fatal(err)
	}
	keeping := &remembering{Decrypter: key}
	k.private = keeping
	k.decrypt(PKCS1v15, base64.StdEncoding.EncodeToString(c), &p)
	if string(p.text()) != "4111111111111111" {
		t.Fatalf("read as %q", p.text())
	}
	if len(keeping.message) != 16 || !bytes.Equal(keeping.message, make([]byte, 16)) {
		t.Error("what the key returned still holds the number")
	}
}

// remembering keeps what the key returned.
type remembering struct {
	crypto.Decrypter
	message []byte
}

func (r *remembering) Decrypt(random io.Reader, m []byte, o crypto.DecrypterOpts) ([]byte, error) {
	message, err := r.Decrypter.Decrypt(random, m, o)
	r.message = message
	return message, err
}

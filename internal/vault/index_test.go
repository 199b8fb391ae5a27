package vault

import (
	"encoding/base64"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/prf"
	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"
)

// TestIndexIsTinksFunction compares with the library, from many goroutines at once: the pooled hashes must
// not mix values.
func TestIndexIsTinksFunction(t *testing.T) {
	handle, err := keyset.NewHandle(prf.HMACSHA256PRFKeyTemplate())
	if err != nil {
		t.Fatal(err)
	}
	functions, err := prf.NewPRFSet(handle)
	if err != nil {
		t.Fatal(err)
	}
	x, err := newIndexer(handle)
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	for share := range 8 {
		wait.Go(func() {
			for n := range 500 {
				value := fmt.Sprint(share, strings.Repeat("x", n%200), n)
				output, err := functions.ComputePrimaryPRF(appendBound(nil, PurposeIIN, value), indexBytes)
				if err != nil {
					t.Error(err)
					return
				}
				want := Index(base64.RawURLEncoding.EncodeToString(output))
				if got := x.index(PurposeIIN, value); got != want {
					t.Errorf("the index of %q is not what Tink makes", value)
				}
			}
		})
	}
	wait.Wait()
}

func TestIndexerWantsItsOwnKindOfKey(t *testing.T) {
	for what, template := range map[string]*tinkpb.KeyTemplate{
		"HMAC-SHA-512": prf.HMACSHA512PRFKeyTemplate(),
		"HKDF":         prf.HKDFSHA256PRFKeyTemplate(),
		"CMAC":         prf.AESCMACPRFKeyTemplate(),
		"AES-GCM":      aead.AES256GCMKeyTemplate(),
	} {
		handle, err := keyset.NewHandle(template)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := newIndexer(handle); err == nil {
			t.Errorf("a key for %s is taken", what)
		}
	}
}

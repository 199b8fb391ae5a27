package bench

import (
	"bytes"
	"context"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
)

// merchantClient talks to a server as a merchant's program does, for what is prepared and not measured.
type merchantClient struct {
	address string
	key     string
}

// ask sends a JSON body, or with none a GET, and reads the answer, which must be a 2xx.
func (m merchantClient) ask(ctx context.Context, path string, body, answer any) error {
	method, content := http.MethodGet, []byte(nil)
	if body != nil {
		var err error
		if content, err = json.Marshal(body); err != nil {
			return fmt.Errorf("write a request: %w", err)
		}
		method = http.MethodPost
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://"+m.address+path, bytes.NewReader(content))
	if err != nil {
		return fmt.Errorf("make a request: %w", err)
	}
	r.Header.Set("Authorization", m.key)
	r.Header.Set("Content-Type", "application/json")
	got, err := http.DefaultClient.Do(r)
	if err != nil {
		return fmt.Errorf("ask %s: %w", path, err)
	}
	defer got.Body.Close()
	said, err := io.ReadAll(got.Body)
	if err != nil || got.StatusCode/100 != 2 {
		return fmt.Errorf("%s answered %d %s (%w)", path, got.StatusCode, said, err)
	}
	if err := json.Unmarshal(said, answer); err != nil {
		return fmt.Errorf("read the answer of %s: %w", path, err)
	}
	return nil
}

// exampleCard is a test card that the sandbox documents; its number belongs to nobody.
var exampleCard = map[string]string{
	"encryptedCardNumber": "4012888888881881", "encryptedExpiryMonth": "12", "encryptedExpiryYear": "2039",
	"encryptedCvv": "123",
}

// encryptCard encrypts the fields of exampleCard under the key of direct payments, as merchants do.
func (m merchantClient) encryptCard(ctx context.Context) (map[string]string, error) {
	var key struct{ KeyID, PublicKey string }
	if err := m.ask(ctx, "/v1/keys", nil, &key); err != nil {
		return nil, err
	}
	block, _ := pem.Decode([]byte(key.PublicKey))
	if block == nil {
		return nil, errors.New("the key of direct payments is no PEM")
	}
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	public, ok := parsed.(*rsa.PublicKey)
	if err != nil || !ok {
		return nil, fmt.Errorf("read the key of direct payments: %w", err)
	}
	// There is nothing to keep secret, so randomness that is quick will do.
	random := rand.NewChaCha8([32]byte{})
	fields := map[string]string{"keyId": key.KeyID}
	for name, text := range exampleCard {
		sealed, err := rsa.EncryptOAEP(sha256.New(), random, public, []byte(text), nil)
		if err != nil {
			return nil, fmt.Errorf("encrypt a card: %w", err)
		}
		fields[name] = base64.StdEncoding.EncodeToString(sealed)
	}
	return fields, nil
}

// saveCard makes the n-th customer, with a card that was verified and stored, as one who pays with it does.
func (m merchantClient) saveCard(ctx context.Context, n int, p Payer, fields map[string]string) (
	customer, card string, err error,
) {
	var made struct{ ID, CardTokenID string }
	person := map[string]string{"email": "shopper" + strconv.Itoa(n) + "@bench.example", "phone": p.Phone}
	if err = m.ask(ctx, "/v1/customers", person, &made); err != nil {
		return "", "", err
	}
	customer = made.ID
	err = m.ask(ctx, "/v1/payments/direct", map[string]any{
		"transactionType": "verification", "skipThreeDS": true, "saveCard": true, "customerId": customer,
		"cardData": fields, "orderDetails": map[string]any{"currency": currency, "amount": 0},
	}, &made)
	if err == nil && made.CardTokenID == "" {
		err = errors.New("the card was not stored")
	}
	return customer, made.CardTokenID, err
}

// stockers is how many customers are made at once.
const stockers = 16

// stock makes customers with stored cards on a store, through the API of the shipped server.
func (r *runner) stock(ctx context.Context, s store) (stocked, error) {
	all := stocked{s, Stock{
		Customers: make([]string, r.Shoppers), Cards: make([]string, r.Shoppers), Payments: int64(r.Shoppers),
	}}
	server, err := start(ctx, r.serving(s))
	if err != nil {
		return all, err
	}
	if err := r.saveCards(ctx, server, &all); err != nil {
		server.kill()
		return all, err
	}
	return all, server.stop()
}

func (r *runner) saveCards(ctx context.Context, server *process, all *stocked) error {
	fields, err := merchantClient{server.address, all.keys[0]}.encryptCard(ctx)
	if err != nil {
		return err
	}
	var at sync.WaitGroup
	failures := make([]error, stockers)
	for first := range stockers {
		at.Go(func() {
			for n := first; n < r.Shoppers && failures[first] == nil; n += stockers {
				m := merchantClient{server.address, all.keys[n%len(all.keys)]}
				all.Customers[n], all.Cards[n], failures[first] = m.saveCard(ctx, n, r.payers[n], fields)
			}
		})
	}
	at.Wait()
	return errors.Join(failures...)
}

// fillPayments adds n payments to a store with customers.
func (r *runner) fillPayments(ctx context.Context, s *stocked, n int64) error {
	fill := append([]string{"bench", "fill-payments", "--merchant", s.merchant, "--payments",
		strconv.FormatInt(n, 10)}, s.flags()...)
	_, err := run(ctx, r.Binary, nil, fill...)
	s.Payments += n
	s.Filled = n
	return err
}

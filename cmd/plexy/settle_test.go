package main

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"plexy/internal/app"
)

// ask makes one request and decodes the answer into the given value.
func (s *running) ask(key, method, path string, body, into any) int {
	s.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		s.Fatal(err)
	}
	request, err := http.NewRequest(method, "http://"+s.address+path, bytes.NewReader(text))
	if err != nil {
		s.Fatal(err)
	}
	request.Header.Set("Authorization", key)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		s.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		s.Fatal(err)
	}
	if err := json.Unmarshal(answer, into); err != nil {
		s.Fatalf("%s %s is answered with %d %s", method, path, response.StatusCode, answer)
	}
	return response.StatusCode
}

// pays makes a direct payment by a good card, in minor units of KZT, and returns its transaction's id.
func (s *running) pays(key, kind string, amount int64) string {
	s.Helper()
	var direct struct{ KeyID, PublicKey string }
	s.ask(key, http.MethodGet, "/v1/keys", nil, &direct)
	block, _ := pem.Decode([]byte(direct.PublicKey))
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		s.Fatal(err)
	}
	seal := func(field string) string {
		sealed, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, parsed.(*rsa.PublicKey), []byte(field), nil)
		if err != nil {
			s.Fatal(err)
		}
		return base64.StdEncoding.EncodeToString(sealed)
	}
	var paid struct{ TransactionID string }
	status := s.ask(key, http.MethodPost, "/v1/payments/direct", map[string]any{
		"transactionType": kind, "skipThreeDS": true, "keyId": direct.KeyID,
		"orderDetails": map[string]any{
			"amount": json.Number(fmt.Sprintf("%d.%02d", amount/100, amount%100)), "currency": "KZT",
			"orderReference": "ORDER-1",
		},
		"cardData": map[string]any{
			"encryptedCardNumber": seal("4242424242424242"), "encryptedExpiryMonth": seal("12"),
			"encryptedExpiryYear": seal("2039"), "encryptedCvv": seal("123"),
			"encryptedCardholderName": seal("A PAYER"),
		},
	}, &paid)
	if status > 202 || paid.TransactionID == "" {
		s.Fatalf("a payment is answered with %d %+v", status, paid)
	}
	return paid.TransactionID
}

// statusOf is the status of a card payment at the merchant's door.
func (s *running) statusOf(key, transaction string) string {
	s.Helper()
	var now struct{ Status string }
	s.ask(key, http.MethodGet, "/v1/transactions/"+transaction, nil, &now)
	return now.Status
}

// TestSettleByHand: a person says what an acquirer would not, while the server works.
func TestSettleByHand(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		s := r.serve()
		shop := r.shop()
		s.mustClock(shop.APIKey, `{"freeze":true}`) // so that the acquirer is not asked
		r.do("merchant", "set", shop.MerchantID, "fault=acquirer_authorize:lost_answer")
		eventually(t, "a payment is unknown", func() error {
			if got := s.statusOf(shop.APIKey, s.pays(shop.APIKey, "sale", 12_345)); got != "created" {
				return fmt.Errorf("it is %s", got) // the server does not know of the fault yet
			}
			return nil
		})
		var queue []app.UnknownOperation
		if r.record(&queue, "payments", "unknown"); len(queue) != 1 || queue[0].State != "sent" {
			t.Fatalf("the queue is %+v", queue)
		}
		u := queue[0]
		settle := []string{"payments", "settle", u.OperationID, "--outcome", "approved", "--reason"}
		r.refuse(exitUsage, "--reason", append(settle, " ")...)
		r.refuse(exitUsage, "card number", append(settle, "4242424242424242")...)
		r.refuse(exitUsage, "--reference", append(settle, "x", "--reference", "a b")...)
		r.refuse(exitUsage, "declined or failed", append(settle, "x", "--outcome", "yes")...)
		r.refuse(exitUsage, "reason", settle[:5]...)
		settle[2] = "nothing"
		r.refuse(exitRefused, "no operation", append(settle, "x")...)
		settle[2] = u.OperationID

		settle = append(settle, "letter 17 of the bank", "--reference", "123456789012")
		var settled, again app.CardPayment
		r.record(&settled, settle...)
		if settled.Status != "authorized" || settled.Authorized != 12_345 || !settled.Operations[0].ByHand ||
			settled.Operations[0].RRN != "123456789012" {
			t.Errorf("settled is %+v", settled)
		}
		if got := s.statusOf(shop.APIKey, u.TransactionID); got == "created" {
			t.Errorf("the server shows the payment as %s", got)
		}
		r.record(&again, settle...)
		r.refuse(exitRefused, "a person settled it as approved", append(settle, "--outcome", "declined")...)
		r.settledOnce(u.OperationID + "|state=sent unknown|state=approved rrn=123456789012|letter 17 of the bank")
		r.do("merchant", "set", shop.MerchantID, "fault=none")
		s.mustClock(shop.APIKey, `{"freeze":false}`) // a capture that fails at first comes again by time
		s.hears(shop.APIKey, u.TransactionID, "transaction.authorized", "transaction.charged")
		var shown app.CardPayment
		r.record(&shown, "payments", "show", u.TransactionID)
		settle[2] = shown.Operations[len(shown.Operations)-1].OperationID
		r.refuse(exitRefused, "the acquirer said that it is approved", settle...)
		var story app.Story
		r.record(&story, "explain", u.TransactionID)
		if !story.AddsUp || len(story.Steps) != 3 || len(story.Operations) != 2 || story.State != "charged" {
			t.Errorf("the story is %+v", story)
		}
		if text := r.do("explain", u.TransactionID); !strings.Contains(text, "by hand") ||
			!strings.Contains(text, "it is whole and adds up") {
			t.Errorf("the story is told as %s", text)
		}
		r.refuse(exitRefused, "no transaction", "explain", "01a21f4a-87c6-7376-947c-5b9e2c1d0726")
		r.do("verify")
	})
}

// settledOnce looks for the one audit row of a settlement.
func (r *rig) settledOnce(want string) {
	r.Helper()
	var rows []string
	for _, a := range r.audits() {
		if a.Action == "payment.settle" {
			rows = append(rows, strings.Join([]string{a.Object, a.Before, a.After, a.Reason}, "|"))
			if a.Actor == "" {
				r.Error("nobody settled it")
			}
		}
	}
	if len(rows) != 1 || rows[0] != want {
		r.Errorf("the audit says %q", rows)
	}
}

// hears waits until the merchant's feed has events of the given names of a transaction, in this order.
func (s *running) hears(key, transaction string, names ...string) {
	s.Helper()
	eventually(s, "the merchant hears of it", func() error {
		var feed struct {
			Items []struct {
				Name string
				Data struct{ ID string }
			}
		}
		s.ask(key, http.MethodGet, "/v1/events?limit=100", nil, &feed)
		var heard []string
		for _, e := range feed.Items {
			if e.Data.ID == transaction {
				heard = append(heard, e.Name)
			}
		}
		if got := strings.Join(heard, " "); !strings.HasSuffix(got, strings.Join(names, " ")) {
			return fmt.Errorf("it heard of %q", got)
		}
		return nil
	})
}

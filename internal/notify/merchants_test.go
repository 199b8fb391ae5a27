package notify

import (
	"errors"
	"strings"
	"testing"

	"plexy/internal/locale"
	"plexy/internal/storage/memory"
)

// about is a message to a merchant of the given kind.
func about(t *testing.T, kind Kind, l locale.Language) Message {
	t.Helper()
	m, err := Message{
		ID: "ntf_" + string(kind), Kind: kind, To: Recipient{Email: "owner@shop.kz"}, Language: l, At: noon,
	}.Write("endpoint", "whe_1", "url", "https://shop.kz/hook", "hours", "24", "since", "noon")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestMessagesToMerchants(t *testing.T) {
	address, letters := mailServer(t, "250 ok")
	byMail := &SMTP{Server: address, From: "no-reply@pay.example", Address: "{phone}@sms.example"}
	if err := byMail.Carry(t.Context(), about(t, WebhookFailing, locale.English)); err != nil {
		t.Fatal(err)
	}
	if letter := <-letters; !strings.Contains(letter, "To: <owner@shop.kz>\r\n") {
		t.Errorf("the mail: %s", letter)
	}
	toPhones, err := NewGateway(Gateway{URL: "https://sms.example", Body: `{"to":"{phone}"}`})
	if err != nil {
		t.Fatal(err)
	}
	store := memory.New()
	for _, l := range locale.Languages() {
		for _, kind := range []Kind{WebhookFailing, WebhookDisabled, WebhookGone} {
			m := about(t, kind, l)
			for _, part := range []string{"whe_1", "https://shop.kz/hook", "noon"} {
				if !strings.Contains(m.Text, part) || strings.ContainsAny(m.Subject+m.Text, "{}") {
					t.Errorf("%s in %s lacks %s: %s", kind, l, part, m.Text)
				}
			}
			if err := toPhones.Carry(t.Context(), m); !errors.Is(err, ErrRefused) {
				t.Errorf("%s by a gateway to phones: %v", kind, err)
			}
			if err := (Outbox{store}).Carry(t.Context(), m); err != nil {
				t.Fatal(err)
			}
		}
	}
	kept, err := store.Messages(t.Context(), 10)
	if err != nil || len(kept) != 3 || kept[0].To != "o***@shop.kz" {
		t.Errorf("%+v %v", kept, err)
	}
}

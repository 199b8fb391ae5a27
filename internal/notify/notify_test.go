package notify

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"plexy/internal/customer"
	"plexy/internal/locale"
	"plexy/internal/storage/memory"
)

const noon = 1_771_496_338_123_456

// said is a log's text.
type said struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// code is a message to a made-up customer.
func code(t *testing.T, l locale.Language) Message {
	t.Helper()
	_, phone := customer.Example(7)
	m, err := Message{ID: "ntf_1", Kind: LoginCode, To: Recipient{Phone: phone}, Language: l, At: noon}.
		Write("code", "012345", "minutes", "5")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// carrier plays the errors it was given, one a try, and then succeeds.
type carrier struct {
	errors []error
	tries  atomic.Int64
	block  chan struct{}
}

func (c *carrier) Carry(ctx context.Context, _ Message) error {
	n := int(c.tries.Add(1))
	if c.block != nil {
		select {
		case <-c.block:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if n <= len(c.errors) {
		return c.errors[n-1]
	}
	return nil
}

func TestEveryLanguageIsWritten(t *testing.T) {
	for _, l := range locale.Languages() {
		if m := code(t, l); !strings.Contains(m.Text, "012345") || m.Subject == "" ||
			strings.Contains(m.Text, "{") {
			t.Errorf("%s: %q %q", l, m.Subject, m.Text)
		}
		m, err := Message{Kind: ApprovalRequest, Language: l}.Write("merchant", "Shop", "amount", "1",
			"order", "O-1", "page", "https://pay.example/wallet", "until", "12:00")
		if err != nil || strings.ContainsAny(m.Text, "{}") || !strings.Contains(m.Text, "O-1") {
			t.Errorf("%s: %q, %v", l, m.Text, err)
		}
	}
}

// A message is tried three times at most, and once when the carrier does not want it. The log names the
// message and nobody.
func TestTriesAreBounded(t *testing.T) {
	trouble, final := errors.New("no line"), errors.Join(ErrRefused, errors.New("bad number"))
	for name, c := range map[string]struct {
		errors []error
		tries  int64
		logged bool
	}{
		"at once": {nil, 1, false}, "the third time": {[]error{trouble, trouble}, 3, false},
		"never": {[]error{trouble, trouble, trouble, trouble}, 3, true}, "refused": {[]error{final}, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			var log said
			played := &carrier{errors: c.errors}
			p := newPost(played, slog.New(slog.NewJSONHandler(&log, nil)), []time.Duration{1, 1})
			m := code(t, locale.Russian)
			if !p.Send(m) {
				t.Fatal("it was not taken")
			}
			p.running.Wait()
			p.Close()
			if got := played.tries.Load(); got != c.tries || (log.String() != "") != c.logged {
				t.Errorf("%d tries, log %q", got, log.String())
			}
			if c.logged && !strings.Contains(log.String(), m.ID) {
				t.Errorf("the log does not name the message: %s", log.String())
			}
			for _, secret := range []string{"012345", strings.TrimPrefix(m.To.Phone.Reveal(), "+7")} {
				if strings.Contains(log.String(), secret) {
					t.Errorf("the log holds %s", secret)
				}
			}
			if p.Send(m) {
				t.Error("a closed post took a message")
			}
		})
	}
}

// What is under way at once is bounded, and closing cuts it off.
func TestPostIsBounded(t *testing.T) {
	c := &carrier{block: make(chan struct{})}
	p := NewPost(c, slog.New(slog.DiscardHandler))
	m := code(t, locale.English)
	for range underWay {
		if !p.Send(m) {
			t.Fatal("a message was not taken")
		}
	}
	if p.Send(m) {
		t.Error("one too many was taken")
	}
	p.Close() // returns, although nobody ends the block
}

func TestOutboxKeepsWhatItIsGiven(t *testing.T) {
	store := memory.New()
	m := code(t, locale.English)
	for range 2 { // the second is a try after an answer that was lost
		if err := (Outbox{store}).Carry(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := store.Messages(t.Context(), 10)
	if err != nil || len(kept) != 1 {
		t.Fatal(kept, err)
	}
	if got := kept[0]; got.To != m.To.Phone.Masked() || got.Text != m.Text || got.Kind != "login_code" ||
		got.Language != "en" || got.CreatedAt != noon || got.SweepAt != noon+OutboxLife {
		t.Errorf("%+v", got)
	}
}

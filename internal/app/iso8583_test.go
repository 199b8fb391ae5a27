package app

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"plexy/internal/acquiring"
	"plexy/internal/clock"
	"plexy/internal/config"
	"plexy/internal/connector/iso8583/host"
	"plexy/internal/core/payment"
)

const hostRole = "PLEXY_TEST_ISO8583_HOST"

// TestMain is an acquirer's host when a test starts this binary as one.
func TestMain(m *testing.M) {
	if os.Getenv(hostRole) == "" {
		os.Exit(m.Run())
	}
	if err := host.Main("127.0.0.1:0", os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// startHost starts an acquirer's host as a process. It returns its address, and what steers it.
func startHost(t *testing.T) (address string, do func(line string) host.Reply) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env, cmd.Stderr = append(os.Environ(), hostRole+"=1"), os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close() // that is how it is told to end
		if err := cmd.Wait(); err != nil {
			t.Errorf("the host: %v", err)
		}
	})
	lines := bufio.NewReader(out)
	heard := func() (r host.Reply) {
		t.Helper()
		line, err := lines.ReadBytes('\n')
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(line, &r); err != nil || r.Error != "" {
			t.Fatalf("the host said %q: %v", line, err)
		}
		return r
	}
	return heard().Address, func(line string) host.Reply {
		t.Helper()
		if _, err := io.WriteString(in, line+"\n"); err != nil {
			t.Fatal(err)
		}
		return heard()
	}
}

// overHost is a server whose acquirer is the host, and a merchant.
func overHost(t *testing.T, address string) (*Server, string) {
	t.Helper()
	cfg := settingsOf(t, t.TempDir(), "")
	cfg.Acquirer = config.AcquirerISO8583
	cfg.ISO8583.Addresses, cfg.ISO8583.Acquirer = []string{address}, "123456"
	cfg.ISO8583.Merchant, cfg.ISO8583.Terminal = "SHOP0001", "TERM0001"
	cfg.ISO8583.Timeout = time.Second
	s := started(t, cfg)
	m, err := s.app.CreateMerchant(t.Context(), "Arai", "")
	if err != nil {
		t.Fatal(err)
	}
	for s.link.State().Connected != cfg.ISO8583.Connections {
		if !clock.Pause(t.Context(), 5*time.Millisecond) {
			t.Fatal("the host is not reached")
		}
	}
	return s, m.MerchantID
}

// TestAHostTakesCards: a payment is approved, captured and refunded over ISO 8583, as the host's books say.
func TestAHostTakesCards(t *testing.T) {
	address, do := startHost(t)
	s, merchant := overHost(t, address)
	ctx := t.Context()
	r := cardRequest(t, merchant, "4111111111111111")
	r.Facts.AutoClearing = false
	paid, err := s.acquiring.Pay(ctx, r)
	if err != nil || paid.Payment.Status() != payment.StatusAuthorized || paid.Payment.AuthCode == "" {
		t.Fatalf("the payment is %s: %+v, %v", paid.Payment.Status(), paid, err)
	}
	of := acquiring.Modification{Merchant: merchant, Payment: paid.Payment.ID, Amount: 900}
	done, err := s.acquiring.Capture(ctx, of)
	if err != nil || done.Reason != "" || done.Payment.Status() != payment.StatusCharged {
		t.Fatalf("captured: %+v, %v", done, err)
	}
	of.Amount = 300
	if done, err = s.acquiring.Refund(ctx, of); err != nil || done.Operation.State != payment.Accepted {
		t.Fatalf("refunded: %+v, %v", done, err)
	}
	books := do("books").Books
	if len(books.Authorizations) != 1 {
		t.Fatalf("the host's books are %+v", books)
	}
	a := books.Authorizations[0]
	if a.Approved != 1_000 || a.Captured != 900 || a.Refunded != 300 || a.Reversed {
		t.Errorf("the host has %+v", a)
	}
}

// TestASilentHostIsTakenBack: the payment whose answer did not come fails by itself, long before it would be
// asked after, and the host has given the money up.
func TestASilentHostIsTakenBack(t *testing.T) {
	address, do := startHost(t)
	s, merchant := overHost(t, address)
	do("fault 0100 1 silent")
	r := cardRequest(t, merchant, "4111111111111111")
	paid, err := s.acquiring.Pay(t.Context(), r)
	if err != nil || paid.Payment.Status() == payment.StatusAuthorized {
		t.Fatalf("%+v, %v", paid, err)
	}
	for p := paid.Payment; p.Status() != payment.StatusFailed; {
		if !clock.Pause(t.Context(), 20*time.Millisecond) {
			t.Fatalf("it is still %s", p.Status())
		}
		if p, err = s.app.Storage.AnyPayment(t.Context(), p.ID); err != nil {
			t.Fatal(err)
		}
	}
	all, err := s.app.Storage.OperationsOf(t.Context(), paid.Payment.ID)
	if err != nil || len(all) != 1 || all[0].State != payment.Undone || all[0].Checks > 1 {
		t.Errorf("the operations are %+v, %v", all, err)
	}
	if queue, err := s.app.UnknownOperations(t.Context()); err != nil || len(queue) != 0 {
		t.Errorf("unknown are %+v, %v", queue, err)
	}
	books := do("books").Books
	if len(books.Authorizations) != 1 || !books.Authorizations[0].Reversed {
		t.Errorf("the host's books are %+v", books)
	}
}

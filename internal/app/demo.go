package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/google/uuid"

	"plexy/internal/config"
	"plexy/internal/core/machine"
	"plexy/internal/core/money"
	"plexy/internal/customer"
	"plexy/internal/walletpage"
)

// What the demo of a fresh sandbox is made of.
const (
	demoName      = "Demo shop"
	demoReference = "plexy-demo"
	demoFunds     = 10_000_000 // 100,000.00 KZT
	demoAmount    = 15_000     // 150.00 KZT, as in the API's own examples
	demoPart      = 5_000
)

// demo is what is told once: the key is not kept anywhere.
type demo struct {
	merchant NewMerchant
	phone    string
	iin      string
	wallet   Wallet
}

// beginDemo funds the demo wallet of a sandbox that is new; nil when it is not. On SQLite, where there is
// one server, "new" is "has no merchant": a first start that was interrupted is made up for. On PostgreSQL
// several servers may start at once, and the one that made the installation makes the demo.
//
// The merchant comes with finishDemo, when the server answers: its key is shown once, and a start that
// fails must not have used that up.
func (a *App) beginDemo(ctx context.Context) (*demo, error) {
	if a.Config.Environment != config.Sandbox {
		return nil, nil
	}
	if _, sqlite := a.Config.SQLitePath(); !sqlite && !a.installed {
		return nil, nil
	}
	merchants, err := a.Storage.Merchants(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the merchants: %w", err)
	}
	if len(merchants) > 0 {
		return nil, nil
	}
	iin, phone := customer.Example(0)
	d := &demo{phone: phone.Reveal(), iin: iin.Reveal()}
	holder := Holder{Phone: d.phone, IIN: d.iin, Currency: string(money.KZT)}
	_, err = a.Fund(ctx, Funding{
		Direction: machine.TopUp, Holder: holder, Amount: demoFunds,
		Reference: demoReference, Reason: "demo of a new sandbox",
	})
	if err != nil && !errors.Is(err, ErrRefused) { // refused: somebody used that reference before us
		return nil, fmt.Errorf("fund the demo wallet: %w", err)
	}
	details, err := a.ShowWallet(ctx, holder)
	if err != nil {
		return nil, fmt.Errorf("show the demo wallet: %w", err)
	}
	d.wallet = details.Wallet
	return d, nil
}

// finishDemo makes the demo's merchant; nothing for nil.
func (a *App) finishDemo(ctx context.Context, d *demo) (err error) {
	if d != nil {
		d.merchant, err = a.CreateMerchant(ctx, demoName, "demo of a new sandbox")
	}
	return err
}

// announce tells a person where everything is, and after the first start of a sandbox how to pay.
func (s *Server) announce(out io.Writer, d *demo) error {
	cfg, at := s.app.Config, "http://"+reachable(s.Address())
	var b strings.Builder
	fmt.Fprintf(&b, "Plexy %s, %s\n  API       %s\n", Version().Version, cfg.Environment, at)
	if s.app.test != nil {
		fmt.Fprintf(&b, "  sandbox   %s/sandbox\n", at)
	}
	if s.messages != nil {
		fmt.Fprintf(&b, "  wallet    %s%s   (for owners of wallets)\n", s.publicURL(), walletpage.Path)
	}
	if m := s.MetricsAddress(); m != "" {
		fmt.Fprintf(&b, "  metrics   http://%s/metrics\n", reachable(m))
	}
	fmt.Fprintf(&b, "  database  %s\n  keys      %s\n", cfg.SafeDatabase(), masterSource(cfg))
	if d != nil {
		d.announce(&b, at)
	} else {
		b.WriteString("\nMerchants: plexy merchant list. A new API key: plexy key create --merchant ID.\n\n")
	}
	if _, err := io.WriteString(out, b.String()); err != nil {
		return fmt.Errorf("say where everything is: %w", err)
	}
	return nil
}

func (d *demo) announce(b *strings.Builder, at string) {
	fmt.Fprintf(b, `
This sandbox is new, so it has a demo:
  merchant  %s (%s)
  API key   %s   (shown this once)
  wallet    %s with %s, of phone %s and IIN %s

Authorize %s (paste this):

curl -sS %s/v1/wallet/authorize \
  -H 'Authorization: %s' \
  -H 'Idempotency-Key: %s' \
  -H 'Content-Type: application/json' \
  -d '{"amount":%d,"phoneNumber":"%s","iin":"%s","orderReference":"ORDER-000001","currency":"KZT"}'

Capture a part of it (put the answer's walletTransactionId in the first line):

WT=wt_...
curl -sS %s/v1/wallet/$WT/capture \
  -H 'Authorization: %s' \
  -H 'Idempotency-Key: %s' \
  -H 'Content-Type: application/json' \
  -d '{"amount":%d}'

`, d.merchant.MerchantID, d.merchant.Name, d.merchant.APIKey,
		d.wallet.WalletID, money.Format(d.wallet.Available, money.KZT), d.phone, d.iin,
		money.Format(demoAmount, money.KZT),
		at, d.merchant.APIKey, uuid.NewString(), demoAmount, d.phone, d.iin,
		at, d.merchant.APIKey, uuid.NewString(), demoPart)
}

// reachable turns an address that means "everywhere" into one that a client here can use.
func reachable(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

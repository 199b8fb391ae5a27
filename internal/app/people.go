package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"time"

	"plexy/internal/checkout"
	"plexy/internal/config"
	"plexy/internal/core/wallet"
	"plexy/internal/httpapi"
	"plexy/internal/id"
	"plexy/internal/locale"
	"plexy/internal/notify"
	"plexy/internal/server"
	"plexy/internal/storage"
	"plexy/internal/walletpage"
	"plexy/internal/web"
)

const (
	// tellEvery is how soon after it was committed an owner is told of a transaction that waits.
	tellEvery = time.Second
	// tellBatch are told at once; whoever comes first is who has the least time left.
	tellBatch = 32
	// tellPause is before the next try at telling, in microseconds, longer each time. It is more than a try
	// takes, so that no two processes try at once.
	tellPause = 15 * 1_000_000
	// tooLate is the time before the end in which an owner is not told any more, in microseconds.
	tooLate = 5 * 1_000_000
)

// post builds what tells people something; nil when nobody can be told.
func (s *Server) post() (*notify.Post, error) {
	n := s.app.Config.Notify
	var carrier notify.Carrier
	switch n.Carrier {
	case config.Outbox:
		carrier = notify.Outbox{People: s.app.Storage}
	case config.SMTP:
		carrier = &notify.SMTP{
			Server: n.SMTPServer, From: n.SMTPFrom, Address: n.SMTPAddress, User: n.SMTPUser, Password: n.SMTPPassword,
		}
	case config.Gateway:
		gateway, err := notify.NewGateway(notify.Gateway{
			URL: n.GatewayURL, Body: n.GatewayBody, Header: n.GatewayHeader, Secret: n.GatewaySecret,
		})
		if err != nil {
			return nil, fmt.Errorf("notify_gateway_body: %w", err)
		}
		carrier = gateway
	default:
		return nil, nil
	}
	return notify.NewPost(carrier, s.log.Logger()), nil
}

// mounts are the doors of payers and of wallets' owners; without a way to tell people a code there is none
// for owners.
func (s *Server) mounts() ([]server.Mount, error) {
	public := strings.TrimRight(s.app.Config.PublicURL, "/")
	address, err := url.Parse(public)
	if err != nil {
		return nil, fmt.Errorf("public_url: %w", err)
	}
	site, err := web.New(web.Options{
		Secure: address.Scheme == "https", Origin: public, Key: s.app.master.PagesKey(),
		TrustedProxies: s.app.Config.TrustedProxies,
	})
	if err != nil {
		return nil, err
	}
	all := []server.Mount{
		s.checkoutMount(site), {Path: web.AssetPath, Door: web.Assets{}},
		{Path: checkout.PopupPath, Door: checkout.Popup{}},
	}
	if s.messages == nil {
		return all, nil
	}
	door := walletpage.New(walletpage.Options{
		Reader: s.app.Storage, Owner: s, Vaults: s.app.vaults, Post: s.messages, Site: site, Clock: s.app.clock,
		Machine: s.app.machine, NewID: s.app.ids.New, Key: s.app.master.PagesKey(),
	})
	return append(all, server.Mount{Path: walletpage.Path, Door: door}), nil
}

// outbox is what a sandbox would have sent; nil in production.
func (s *Server) outbox() httpapi.Messages {
	if s.app.Config.Environment == config.Sandbox {
		return s.app.Storage
	}
	return nil
}

// publicURL is where people reach the pages.
func (s *Server) publicURL() string {
	if public := strings.TrimRight(s.app.Config.PublicURL, "/"); public != "" {
		return public
	}
	if public, ok := s.public.Load().(string); ok {
		return public
	}
	return "http://" + reachable(s.app.Config.Listen)
}

// tell tells owners of what waits for them: after the commit that made it, by what the database says, so that
// neither a crash nor a carrier's trouble loses it. A try is claimed before it is made and noted after it
// succeeded, so somebody may be told twice and nobody is forgotten, until the tries or the time are used up.
func (s *Server) tell(ctx context.Context) error {
	for ctx.Err() == nil {
		waiting, err := s.app.Storage.Untold(ctx, s.app.machine.Now(), tellBatch)
		if err != nil {
			return err
		}
		var mu sync.Mutex
		var running sync.WaitGroup
		for _, t := range waiting {
			running.Go(func() {
				failed := s.tellOne(ctx, t)
				mu.Lock()
				defer mu.Unlock()
				err = errors.Join(err, failed)
			})
		}
		running.Wait()
		if err != nil || len(waiting) < tellBatch {
			return err
		}
	}
	return nil
}

// tellOne makes one try at telling. A carrier that fails is no error of ours: it is logged, and tried again.
func (s *Server) tellOne(ctx context.Context, t storage.Telling) error {
	now := s.app.machine.Now() // the sandbox's clock may stand still, and then nothing would be tried again
	claimed, err := s.app.Storage.ClaimTelling(ctx, t, now+tellPause<<t.Tries)
	if err != nil || !claimed {
		return err
	}
	if t.Transaction.ExpiresAt > s.app.clock.Now()+tooLate {
		m, err := s.request(ctx, t.Transaction, now)
		if err != nil {
			return err
		}
		err = s.messages.Try(ctx, m)
		if err != nil {
			s.log.Logger().Warn("an owner was not told", slog.String("alarm", "notify"),
				slog.String("transaction", t.Transaction.ID), slog.Int("tries", t.Tries+1),
				slog.String("error", err.Error()))
			if !errors.Is(err, notify.ErrRefused) {
				return nil
			}
		}
	}
	return s.app.Storage.Told(ctx, t.Transaction.ID, s.app.machine.Now())
}

// request writes the message about a waiting transaction, in the language that its owner chose last. Its id
// is the same on every try.
func (s *Server) request(ctx context.Context, t wallet.Transaction, now int64) (notify.Message, error) {
	owner, err := s.app.Storage.Holder(ctx, t.Wallet)
	if err != nil {
		return notify.Message{}, fmt.Errorf("find the owner: %w", err)
	}
	phone, err := walletpage.OpenPhone(ctx, s.app.vaults, owner)
	if err != nil {
		return notify.Message{}, fmt.Errorf("open the owner's phone: %w", err)
	}
	chosen, err := s.app.Storage.Language(ctx, owner.ID)
	if err != nil {
		return notify.Message{}, err
	}
	shop, err := s.app.Storage.Merchant(ctx, t.Merchant)
	if err != nil {
		return notify.Message{}, fmt.Errorf("read the merchant: %w", err)
	}
	language, ok := locale.Parse(chosen)
	if !ok {
		language = locale.Kazakh
	}
	return notify.Message{
		ID:   id.Message + strings.TrimPrefix(t.ID, id.Transaction),
		Kind: notify.ApprovalRequest, To: notify.Recipient{Phone: phone}, Language: language, At: now,
	}.Write("merchant", shop.Name, "amount", language.Amount(t.Amount, t.Currency), "order", t.OrderReference,
		"page", s.publicURL()+walletpage.Path, "until", language.Clock(t.ExpiresAt))
}

// sweepPeople deletes codes, log-ins and messages that nobody can ask for any more.
func (s *Server) sweepPeople(ctx context.Context) error {
	return inBatches(func() (int, error) {
		return s.app.Storage.SweepPeople(ctx, s.app.machine.Now(), sweepBatch)
	})
}

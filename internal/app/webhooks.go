package app

import (
	"context"
	"log/slog"
	"time"

	"plexy/internal/clock"
	"plexy/internal/config"
	"plexy/internal/id"
	"plexy/internal/storage"
	"plexy/internal/vault"
	"plexy/internal/webhook"
)

// prepareWebhooks makes what webhooks need; startWebhooks starts them.
func (s *Server) prepareWebhooks() (err error) {
	s.sequencer = webhook.NewSequencer(s.app.Storage, s.app.clock, s.busy, s.taskAlarm)
	proxy := webhook.Proxy{
		Address: s.app.Config.WebhookProxy, Credentials: s.app.Config.WebhookProxyCredentials,
	}
	if proxy.Address == "" {
		proxy = webhook.Proxy{}
	}
	s.sender = webhook.NewSender(webhook.Options{Rules: s.app.webhookRules(), Proxy: proxy})
	s.hooks, err = webhook.NewKey(s.app.master.WebhookKey())
	return err
}

// webhookRules say which addresses webhooks may call. The installation says whether it is a sandbox: not
// every command is told.
func (a *App) webhookRules() webhook.Rules {
	return webhook.Rules{
		Sandbox: a.environment == config.Sandbox, Networks: a.Config.WebhookNetworks,
		Ports: a.Config.WebhookPorts,
	}
}

// What makes a server busy: batches of so many payments, so short a time ago. A queue says less, as every
// batch empties it.
const (
	crowd      = 8
	crowdedFor = int64(250 * time.Millisecond / time.Microsecond)
)

// crowdedBy notes that a batch was full of payments.
func (s *Server) crowdedBy(instructions int) {
	if instructions >= crowd {
		s.crowded.Store(clock.System{}.Now())
	}
}

// busy says whether payments crowd: webhooks then step back.
func (s *Server) busy() bool {
	since := clock.System{}.Now() - s.crowded.Load()
	return since >= 0 && since < crowdedFor
}

// startWebhooks starts the sequencer and the worker; both end with ctx.
func (s *Server) startWebhooks(ctx context.Context, t *tasks) {
	worker := webhook.NewWorker(webhook.WorkerOptions{
		Store: s.app.Storage, Sender: s.sender, Key: s.hooks, Clock: s.app.clock, Machine: clock.System{},
		Owner: s.app.ids.New(id.Server), Sandbox: s.app.Config.Environment == config.Sandbox,
		Sequencer: s.sequencer, Busy: s.busy, Alarm: s.taskAlarm,
		Fault: s.app.fault, SessionKey: s.sessionKey,
		Observe: func(r webhook.Result, first bool, sinceEvent time.Duration) {
			if !first {
				sinceEvent = -1
			}
			s.metrics.Attempt(r.Outcome.String(), sinceEvent)
		},
	})
	t.running.Go(func() { s.sequencer.Run(ctx) })
	t.running.Go(func() { worker.Run(ctx) })
}

// taskAlarm logs what a background task met; err may be nil.
func (s *Server) taskAlarm(what string, err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	s.log.Logger().Error(what, slog.String("alarm", "task"), slog.String("error", text))
}

// sweepDeliveries deletes deliveries that nobody will ask for any more.
func (s *Server) sweepDeliveries(ctx context.Context) error {
	keep := (time.Duration(s.app.Config.KeepDeliveries) * 24 * time.Hour).Microseconds()
	return inBatches(func() (int, error) {
		return s.app.Storage.SweepDeliveries(ctx, s.app.clock.Now()-keep, sweepBatch)
	})
}

// sessionKey opens the API key that began a payment session; storage.ErrNotFound when it was erased.
func (s *Server) sessionKey(ctx context.Context, session string) (string, error) {
	kept, err := s.app.Storage.Session(ctx, session)
	if err == nil && kept.KeyID == "" {
		err = storage.ErrNotFound
	}
	if err != nil {
		return "", err
	}
	open := func() ([]byte, error) {
		return s.app.vaults.Current().Unseal(kept.KeyID, vault.PurposeSessionSigner, kept.ID, kept.Signer)
	}
	key, err := open()
	if err != nil { // perhaps it was sealed with a key that is newer than the last look
		if err := s.app.vaults.Refresh(ctx); err != nil {
			return "", err
		}
		key, err = open()
	}
	return string(key), err
}

package app

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"plexy/internal/acquiring"
	"plexy/internal/acquiring/door"
	"plexy/internal/config"
	"plexy/internal/connector"
	"plexy/internal/connector/iso8583"
	"plexy/internal/connector/sandbox"
	"plexy/internal/connector/sandbox/acs"
	"plexy/internal/merchant"
	"plexy/internal/server"
	"plexy/internal/vault"
)

const (
	// askEvery is how soon an operation that is due is asked after, and callBackEvery how soon a callback of
	// the sandbox's acquirer that is due is sent.
	askEvery      = time.Second
	callBackEvery = time.Second
	// clearEvery is how soon after their time payments are captured by themselves, given up, and links expire.
	clearEvery = 5 * time.Second
	// unknownEvery is how often the queue of unknown operations is measured, and unknownMost how far.
	unknownEvery = 15 * time.Second
	unknownMost  = 1000
	// mostHeard bounds the late answers that are being written down.
	mostHeard = 1024
	// cutCallsAfter is how long a stop waits for acquirers; what they have not answered by then is unknown.
	cutCallsAfter = 5 * time.Second
)

// connectors makes every acquirer that there is, and names the one of new payments, "" for none. It is the
// only list of them. Payments of acquirers that are not in it any more stay as they are.
func (s *Server) connectors() (all []connector.Connector, standard string, err error) {
	cfg := s.app.Config
	if s.app.test != nil { // it is a sandbox
		s.bank = sandbox.New(sandbox.Options{
			Books: s.app.Storage, Clock: s.app.clock, Key: s.app.master.BankKey(),
			AddressOf: func() string { return s.publicURL() + acs.Path },
			Latency:   cfg.SandboxLatency, Fault: s.app.fault,
			Post: func(ctx context.Context, header func(string) string, body []byte) error {
				return s.acquiring.Callback(ctx, sandbox.Name, header, body)
			},
		})
		all = append(all, s.bank)
	}
	if len(cfg.ISO8583.Addresses) > 0 {
		if err := s.startLink(); err != nil {
			return nil, "", err
		}
		all = append(all, s.link)
	}
	switch cfg.Acquirer {
	case config.AcquirerISO8583:
		if s.link == nil || cfg.ISO8583.Merchant == "" || cfg.ISO8583.Terminal == "" {
			return nil, "", usage("acquirer: iso8583 needs iso8583_addresses, iso8583_merchant and iso8583_terminal")
		}
		return all, s.link.Name(), nil
	case config.AcquirerNone:
		s.log.Logger().Warn("no acquirer is set up: card payments are refused (setting acquirer)")
		return all, "", nil
	case config.AcquirerSandbox:
		if s.bank == nil {
			return nil, "", usage("acquirer: the sandbox's acquirer moves no money, so production cannot have it")
		}
		return all, sandbox.Name, nil
	}
	return nil, "", usage("acquirer: there is none called %q", cfg.Acquirer)
}

// startLink connects to the acquirer's host.
func (s *Server) startLink() (err error) {
	l := s.app.Config.ISO8583
	o := iso8583.Options{
		Addresses: l.Addresses, Connections: l.Connections, Acquirer: l.Acquirer, Zone: l.Zone,
		Timeout: l.Timeout, Echo: l.Echo, Clock: s.app.machine, Notify: s.hear,
		Alarm: func(what string, err error) {
			s.log.Logger().Error(what, slog.String("alarm", "acquirer"), slog.String("error", err.Error()))
		},
	}
	if l.TLS {
		if o.TLS, err = iso8583.TLS(l.TLSAuthorityFile, l.TLSCertificateFile, l.TLSKeyFile); err != nil {
			return usage("iso8583: %s", err)
		}
	}
	if s.link, err = iso8583.New(o); err != nil {
		return usage("iso8583: %s", err)
	}
	s.metrics.WatchAcquirer(func() int { return s.link.State().Connected },
		func() int { return s.link.State().Undoing })
	return nil
}

// hear takes what the link learned of its own accord, beside whoever told it. What cannot be written down
// now, or is too much at once, is asked after.
func (s *Server) hear(n connector.Notice) {
	if s.heard.Add(1) > mostHeard {
		s.heard.Add(-1)
		return
	}
	s.hearing.Go(func() {
		defer s.heard.Add(-1)
		ctx, cancel := context.WithTimeout(context.Background(), taskDeadline)
		defer cancel()
		if err := s.acquiring.Hear(ctx, s.link.Name(), n); err != nil {
			s.log.Logger().Warn("a late answer was not written down", slog.String("error", err.Error()))
		}
	})
}

// acceptor is the merchant as the acquirer knows it. A terminal that no acquirer can have is the link's own.
func (s *Server) acceptor(m merchant.Merchant, terminal string) connector.Acceptor {
	l := s.app.Config.ISO8583
	if terminal == "" || len(terminal) > 8 {
		terminal = l.Terminal
	}
	return connector.Acceptor{Merchant: l.Merchant, Terminal: terminal, Name: m.Name, Country: "KZ"}
}

// startAcquiring builds what carries out card payments.
func (s *Server) startAcquiring() error {
	all, standard, err := s.connectors()
	if err != nil {
		return err
	}
	s.acquiring = acquiring.New(acquiring.Options{
		Commit: s.committer, Keeper: s.app.Storage, Vaults: s.app.vaults, Clock: s.app.clock,
		NewID: s.app.ids.UUID, Connectors: all, Default: standard, Log: s.log.Logger(),
		Acceptor: s.acceptor,
		Observe:  func(call string, o connector.Outcome) { s.metrics.Call(call, o.String()) },
	})
	return nil
}

// padding is how merchants pad the cards that they encrypt for direct payments.
func padding(cfg config.Config) vault.Padding {
	if cfg.DirectPadding == config.PaddingPKCS1 {
		return vault.PKCS1v15
	}
	return vault.OAEP
}

// stopAcquiring lets calls to acquirers finish for a while. The committer must still run.
func (s *Server) stopAcquiring() {
	ctx, cancel := context.WithTimeout(context.Background(), cutCallsAfter)
	defer cancel()
	if s.acquiring != nil {
		s.acquiring.Close(ctx)
	}
	if s.link != nil {
		s.link.Close()
	}
	s.hearing.Wait()
}

// acquirerMounts are the doors of acquirers: callbacks, and in a sandbox the bank's pages.
func (s *Server) acquirerMounts() []server.Mount {
	all := []server.Mount{{Path: door.Path, Door: door.Callbacks{Take: s.acquiring.Callback}}}
	if s.bank != nil {
		all = append(all, server.Mount{Path: acs.Path, Door: acs.Pages{Bank: s.bank}})
	}
	return all
}

// startPayments starts the background tasks of card payments.
func (s *Server) startPayments(ctx context.Context, t *tasks) {
	s.every(ctx, t, "ask after payments", askEvery, s.acquiring.AskDue)
	s.every(ctx, t, "capture payments", clearEvery, s.acquiring.ClearDue)
	s.every(ctx, t, "give up 3-D Secure", clearEvery, s.acquiring.AbandonDue)
	s.every(ctx, t, "expire payment links", clearEvery, s.acquiring.ExpireDue)
	s.every(ctx, t, "put held cards away", sweepEvery, s.acquiring.SweepCards)
	if s.bank != nil {
		s.every(ctx, t, "call back", callBackEvery, func(ctx context.Context) error {
			s.bank.CallBack(ctx)
			return nil
		})
		s.every(ctx, t, "sweep what the sandbox's bank remembers", sweepEvery, s.sweepBank)
	}
	s.every(ctx, t, "measure what is unknown", unknownEvery, s.measureUnknown())
}

// sweepBank lets the sandbox's bank forget what nothing can come of any more.
func (s *Server) sweepBank(ctx context.Context) error {
	keep := (time.Duration(s.app.Config.KeepSandboxBank) * 24 * time.Hour).Microseconds()
	return inBatches(func() (int, error) {
		return s.app.Storage.SweepBank(ctx, s.app.clock.Now()-keep, sweepBatch)
	})
}

// measureUnknown publishes size and age of the queue of unknown operations, and alarms once about each that
// only a person can help: the acquirer was asked for five days.
func (s *Server) measureUnknown() func(context.Context) error {
	told := map[string]bool{}
	return func(ctx context.Context) error {
		all, err := s.app.Storage.UnknownOperations(ctx, unknownMost)
		if err != nil {
			return fmt.Errorf("measure what is unknown: %w", err)
		}
		oldest, news, left := int64(0), 0, map[string]bool{}
		for _, u := range all {
			oldest = max(oldest, s.app.clock.Now()-u.Operation.UnknownSince)
			if id := u.Operation.ID; u.Operation.NextCheckAt == 0 {
				left[id] = true
				if !told[id] {
					news++
				}
			}
		}
		told = left
		s.metrics.Unknown(len(all), time.Duration(oldest)*time.Microsecond)
		if news > 0 {
			s.log.Logger().Error("payments wait for a person: plexy payments unknown",
				slog.String("alarm", "acquirer"), slog.Int("operations", len(left)))
		}
		return nil
	}
}

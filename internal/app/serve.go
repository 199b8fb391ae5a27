package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"plexy/internal/acquiring"
	"plexy/internal/commit"
	"plexy/internal/config"
	"plexy/internal/connector/iso8583"
	"plexy/internal/connector/sandbox"
	"plexy/internal/httpapi"
	"plexy/internal/id"
	"plexy/internal/metric"
	"plexy/internal/notify"
	"plexy/internal/server"
	"plexy/internal/webhook"
)

// finishWithin bounds how long a stop waits for the requests that were accepted. A request's own deadline
// is 10 seconds, so nothing that was accepted is cut off.
const finishWithin = 20 * time.Second

// Output is where a server writes.
type Output struct {
	Log    io.Writer // one JSON line per request and event
	Banner io.Writer // what a person is told at the start: addresses, and the sandbox's demo
}

// Server is a running server of one installation. Make it with Start.
type Server struct {
	app       *App
	log       *server.Log
	metrics   *metric.Metrics
	committer *commit.Committer
	listener  *server.Server
	tasks     *tasks
	sequencer *webhook.Sequencer
	crowded   atomic.Int64 // when a batch was last full of payments, by the machine's clock
	sender    *webhook.Sender
	hooks     webhook.Key
	messages  *notify.Post // nil when nobody can be told anything
	acquiring *acquiring.Acquiring
	bank      *sandbox.Acquirer  // the pretend acquirer; nil in production
	link      *iso8583.Connector // to the acquirer's host; nil for none
	hearing   sync.WaitGroup     // of what the link learns of its own accord
	heard     atomic.Int64       // of those, how many there are
	public    atomic.Value       // string: the address of the pages, once it is known
}

// Serve runs a server until ctx ends or a listener fails, then stops it in order.
func Serve(ctx context.Context, cfg config.Config, out Output) error {
	s, err := Start(ctx, cfg, out)
	if err != nil {
		return err
	}
	select {
	case <-ctx.Done():
	case err = <-s.listener.Failed():
	}
	return errors.Join(err, s.Stop())
}

// Start opens the installation (making it, if the database is empty), migrates it, and serves. It returns
// when requests are answered.
func Start(ctx context.Context, cfg config.Config, out Output) (*Server, error) {
	s := &Server{metrics: metric.New()}
	s.log = server.NewLog(out.Log, s.metrics)
	s.log.SetLevel(level(cfg.LogLevel))
	if err := s.start(ctx, cfg, out); err != nil {
		s.log.Close()
		return nil, err
	}
	return s, nil
}

func level(name string) slog.Level {
	switch name {
	case "warn":
		return slog.LevelWarn
	case "error":
		return slog.LevelError
	}
	return slog.LevelInfo
}

// start builds the rooms from the floor up and takes down again what it built when one fails.
func (s *Server) start(ctx context.Context, cfg config.Config, out Output) (err error) {
	var built []func() error
	defer func() {
		if err == nil {
			return
		}
		for _, undo := range built {
			err = errors.Join(err, undo())
		}
	}()
	s.app, err = Open(ctx, cfg, Options{Install: true, Serve: true, Actor: "plexy serve"})
	if err != nil {
		return err
	}
	built = append(built, s.app.Close)
	demo, err := s.app.beginDemo(ctx)
	if err != nil {
		return err
	}
	_, embedded := cfg.SQLitePath()
	s.committer = commit.New(commit.Config{
		Storage: s.app.Storage, Clock: s.app.clock, OwnThread: embedded, Observe: s.observe, Alarm: s.alarm,
	})
	built = append([]func() error{func() error { s.committer.Close(); return nil }}, built...)
	s.metrics.WatchQueue(s.committer.Depth)

	built = append([]func() error{s.unprepare}, built...)
	if err = s.prepare(); err != nil {
		return err
	}
	mounts, err := s.mounts()
	if err != nil {
		return err
	}
	door := httpapi.New(httpapi.Options{
		Commit: s.committer, Reader: s.app.Storage, Vaults: s.app.vaults, Stem: s.app.ids.Stem,
		Outbox: s.app.Storage, News: s.sequencer.News, Webhooks: s.hooks, CheckURL: s.sender.Check,
		NewID: s.app.ids.New, Sandbox: s.sandbox(), Messages: s.outbox(),
		Payments: s.app.Storage, Shoppers: s.app.Storage, NewUUID: s.app.ids.UUID, PublicURL: s.publicURL,
		Keys:  newKeyCache(s.app.Storage, s.app.machine, s.app.drops),
		Clock: s.app.clock, Machine: s.app.machine,
		FingerprintKey: s.app.master.FingerprintKey(), Rate: cfg.RateLimit,
		Acquiring: s.acquiring, Padding: padding(cfg),
	})
	s.listener, err = server.Start(server.Options{
		Listen: cfg.Listen, MetricsListen: cfg.MetricsListen, Door: door,
		Mounts:   append(mounts, s.acquirerMounts()...),
		Envelope: httpapi.Envelope,
		Ready:    s.app.Storage.Ready, NewRequestID: func() string { return s.app.ids.New(id.Request) },
		Clock: s.app.machine, Log: s.log, Metrics: s.metrics,
	})
	if err != nil {
		return err
	}
	built = append([]func() error{func() error { return s.listener.Shutdown(ctx) }}, built...)
	s.public.Store("http://" + reachable(s.Address()))
	if err = s.app.finishDemo(ctx, demo); err != nil {
		return err
	}
	s.tasks = s.startTasks()
	s.log.Logger().Info("serving", slog.String("listen", s.Address()),
		slog.String("environment", cfg.Environment), slog.String("database", cfg.SafeDatabase()),
		slog.String("version", Version().Version))
	if err := s.announce(out.Banner, demo); err != nil { // nobody reads it; payments go on
		s.log.Logger().Warn("the start was not announced", slog.String("error", err.Error()))
	}
	return nil
}

// prepare builds what speaks to the outside: webhooks, acquirers and messages to people.
func (s *Server) prepare() (err error) {
	if err = errors.Join(s.prepareWebhooks(), s.startAcquiring()); err != nil {
		return err
	}
	s.messages, err = s.post()
	return err
}

func (s *Server) unprepare() error {
	s.stopAcquiring()
	if s.messages != nil {
		s.messages.Close()
	}
	return nil
}

// Address is the API's HOST:PORT, with the port that was really taken.
func (s *Server) Address() string { return s.listener.Address() }

// MetricsAddress is the HOST:PORT of /metrics, or "".
func (s *Server) MetricsAddress() string { return s.listener.MetricsAddress() }

// Stop stops in the order of the house: stop accepting, finish the requests, end the background tasks,
// drain the commits, close the storage. Everything that was accepted is finished.
func (s *Server) Stop() error {
	s.log.Logger().Info("stopping")
	ctx, cancel := context.WithTimeout(context.Background(), finishWithin)
	defer cancel()
	err := s.listener.Shutdown(ctx)
	s.tasks.stop()
	s.sender.Close()
	err = errors.Join(err, s.unprepare())
	s.committer.Close()
	if closed := s.app.Close(); closed != nil {
		err = errors.Join(err, fmt.Errorf("close the storage: %w", closed))
	}
	if err != nil {
		s.log.Logger().Error("stopped with an error", slog.String("error", err.Error()))
	} else {
		s.log.Logger().Info("stopped")
	}
	s.log.Close()
	return err
}

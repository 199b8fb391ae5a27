package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"time"

	"plexy/internal/event"
	"plexy/internal/id"
	"plexy/internal/locale"
	"plexy/internal/notify"
	"plexy/internal/storage"
	"plexy/internal/view"
)

// tellFailingEvery is how soon after a stage is reached its merchant is told.
const tellFailingEvery = 5 * time.Second

// tellFailing tells merchants of endpoints that fail, once a stage (rule W-7). As with owners a try is
// claimed before it is made, and what the database says decides between servers. Stages go by the
// application's clock, tries by the machine's.
func (s *Server) tellFailing(ctx context.Context) error {
	for ctx.Err() == nil {
		untold, err := s.app.Storage.UntoldEndpoints(ctx, s.app.clock.Now(), s.app.machine.Now(), tellBatch)
		if err != nil {
			return err
		}
		claimed := 0
		for _, t := range untold {
			mine, err := s.tellOfEndpoint(ctx, t)
			if err != nil {
				return err
			}
			if mine {
				claimed++
			}
		}
		if len(untold) < tellBatch || claimed == 0 {
			return nil
		}
	}
	return nil
}

// tellOfEndpoint makes one try at telling, and reports whether it was this process's to make. A carrier that
// fails is no error of ours: it is logged, and tried again.
func (s *Server) tellOfEndpoint(ctx context.Context, t storage.EndpointTelling) (bool, error) {
	if t.Message == "" {
		t.Message = s.app.ids.New(id.Message)
	}
	claimed, err := s.app.Storage.ClaimEndpointTelling(ctx, t, s.app.machine.Now()+tellPause<<t.Tries)
	if err != nil || !claimed {
		return false, err
	}
	m, err := failing(t, s.app.machine.Now())
	if err != nil {
		return false, err
	}
	if err := s.messages.Try(ctx, m); err != nil {
		s.log.Logger().Warn("a merchant was not told of an endpoint", slog.String("alarm", "notify"),
			slog.String("endpoint", t.Endpoint.ID), slog.Int("tries", t.Tries+1),
			slog.String("error", err.Error()))
		if !errors.Is(err, notify.ErrRefused) {
			return true, nil
		}
	}
	return true, s.app.Storage.EndpointTold(ctx, t, s.app.machine.Now())
}

// failing writes the message about an endpoint.
func failing(t storage.EndpointTelling, now int64) (notify.Message, error) {
	language, ok := locale.Parse(t.Language)
	if !ok {
		language = locale.English
	}
	kind, hours := notify.WebhookFailing, event.HourStage
	switch {
	case t.Stage == event.FailingDay:
		hours = event.DayStage
	case t.Stage == event.GivenUp && t.Endpoint.Why == event.WhyGone:
		kind = notify.WebhookGone
	case t.Stage == event.GivenUp:
		kind = notify.WebhookDisabled
	}
	return notify.Message{
		ID: t.Message, Kind: kind, To: notify.Recipient{Email: t.To}, Language: language, At: now,
	}.Write("endpoint", t.Endpoint.ID, "url", t.Endpoint.URL, "hours", strconv.Itoa(int(hours.Hours())),
		"since", language.Time(t.Endpoint.FailingSince)+" (UTC+5)")
}

// exportPage is how many deliveries of a file are read at once.
const exportPage = 500

// DeliveriesCSV writes deliveries to an endpoint as a file, newest event first, all of them; state is "" for
// all.
func (a *App) DeliveriesCSV(ctx context.Context, merchant, endpoint, state string, to io.Writer) error {
	e, err := a.told(ctx, merchant, endpoint)
	if err != nil {
		return err
	}
	file := view.NewDeliveriesCSV(to)
	q := storage.DeliveryQuery{Endpoint: e.ID, State: event.DeliveryState(state), Limit: exportPage}
	for {
		page, err := a.Storage.DeliveriesOf(ctx, q)
		if err != nil {
			return err
		}
		for i := range page {
			file.Add(&page[i])
		}
		if err := file.Flush(); err != nil || len(page) < exportPage {
			return err
		}
		q.Before = page[len(page)-1].ID
	}
}

// sweepEvents forgets what merchants' feeds need not keep any more.
func (s *Server) sweepEvents(ctx context.Context) error {
	kept := s.app.Config.KeepEvents
	if kept == 0 {
		return nil
	}
	return inBatches(func() (int, error) {
		return s.app.Storage.SweepEvents(ctx, s.app.clock.Now()-kept.Microseconds(), sweepBatch)
	})
}

// kept refuses to replay events that the merchant's feed does not keep any more. What is dead has its
// delivery, whatever the feed keeps.
func (a *App) kept(ctx context.Context, merchant string, what Again) error {
	lowest, err := a.Storage.LowestEvent(ctx, merchant)
	if err == nil && !what.Dead && what.From < lowest {
		return fmt.Errorf("%w: events of this age are not kept; the lowest number available is %d", ErrRefused,
			lowest)
	}
	return err
}

package httpapi_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"plexy/internal/core/machine"
	"plexy/internal/core/wallet"
	"plexy/internal/httpapi"
	"plexy/internal/metric"
	"plexy/internal/server"
)

// BenchmarkAuthorize measures the door alone: everything but the commit, whose place is taken by rendering
// one transaction. The request log and the metrics are in it.
func BenchmarkAuthorize(b *testing.B) {
	r := newRig(b, func(r *rig, o *httpapi.Options, s *server.Options) {
		s.Log = server.NewLog(io.Discard, nil)
		b.Cleanup(s.Log.Close)
		s.Metrics = metric.New()
		o.Rate = 1_000_000_000
		o.Commit = committer(func(_ context.Context, in machine.Instruction) (machine.Outcome, error) {
			c := in.Command.(machine.Authorize)
			o := machine.Outcome{Transaction: wallet.Transaction{
				ID: c.Stem + "00", Merchant: c.Merchant, Currency: c.Currency, Amount: c.Amount,
				OrderReference: c.OrderReference, Status: wallet.Success, Authorized: c.Amount,
				CreatedAt: noon, UpdatedAt: noon, ExpiresAt: noon + week.Microseconds(),
			}}
			o.Reply = in.Render(o)
			return o, nil
		})
	})
	body := replaced("orderReference", `"ORDER-100045"`)
	reader := strings.NewReader(body)
	request := httptest.NewRequest("POST", "/v1/wallet/authorize", reader)
	request.Header.Set("Authorization", r.shop)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Idempotency-Key", "8b7f2a7e-2c5b-4d6e-9c3f-acde12345678")
	w := &discard{header: http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		reader.Reset(body)
		clear(w.header)
		w.status = 0
		r.handler.ServeHTTP(w, request)
		if w.status != 201 {
			b.Fatal(w.status)
		}
	}
}

// discard is a response that nobody reads.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(status int)      { d.status = status }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }

package metric_test

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"plexy/internal/metric"
)

func TestEveryMetricOfTheIssueIsPublished(t *testing.T) {
	m := metric.New()
	m.Request("/v1/wallet/authorize", 201, 3*time.Millisecond)
	m.Request("/v1/wallet/authorize", 201, 3*time.Millisecond)
	m.Operation("capture", "amount_exceeds_remaining")
	m.Batch(32, time.Millisecond, "ok")
	m.WatchQueue(func() int { return 7 })
	m.WatchAcquirer(func() int { return 2 }, func() int { return 3 })
	m.Imbalance("KZT", 0)
	m.LogFailed()

	answer := httptest.NewRecorder()
	m.Handler().ServeHTTP(answer, httptest.NewRequest("GET", "/metrics", nil))
	text := answer.Body.String()
	for _, want := range []string{
		`plexy_http_requests_total{route="/v1/wallet/authorize",status="201"} 2`,
		`plexy_http_request_seconds_count{route="/v1/wallet/authorize"} 2`,
		`plexy_operations_total{kind="capture",outcome="amount_exceeds_remaining"} 1`,
		`plexy_commit_batch_size_sum 32`,
		`plexy_commit_seconds_count{result="ok"} 1`,
		`plexy_commit_queue_depth 7`,
		`plexy_acquirer_connections 2`,
		`plexy_acquirer_reversals 3`,
		`plexy_ledger_imbalance_minor_units{currency="KZT"} 0`,
		`plexy_log_write_failures_total 1`,
		`go_goroutines`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("metrics lack %q", want)
		}
	}
}

func TestNilMetricsCountNothing(t *testing.T) {
	var m *metric.Metrics
	m.Request("/", 200, time.Second)
	m.Operation("x", "ok")
	m.Batch(1, time.Second, "ok")
	m.WatchQueue(func() int { return 0 })
	m.WatchAcquirer(nil, nil)
	m.Imbalance("KZT", 1)
	m.LogFailed()
	answer := httptest.NewRecorder()
	m.Handler().ServeHTTP(answer, httptest.NewRequest("GET", "/metrics", nil))
	if answer.Code != 404 {
		t.Fatalf("status %d, want 404", answer.Code)
	}
}

func BenchmarkRequest(b *testing.B) {
	m := metric.New()
	b.ReportAllocs()
	for b.Loop() {
		m.Request("/v1/wallet/authorize", 201, time.Millisecond)
	}
}

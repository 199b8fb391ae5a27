// Package metric counts what the platform does, for Prometheus to collect. It is one small struct with
// one method per thing that can happen, handed to the rooms that see it happen; no room knows Prometheus.
//
// A nil *Metrics is valid and counts nothing, so that tests and command line tools need not make one.
package metric

import (
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics holds every counter of one process. Make it with New; the zero value is not usable, nil is.
// All methods may be called from any number of goroutines.
type Metrics struct {
	registry *prometheus.Registry

	requests       *prometheus.CounterVec
	requestSeconds *prometheus.HistogramVec
	operations     *prometheus.CounterVec
	batchSize      prometheus.Histogram
	commitSeconds  *prometheus.HistogramVec
	imbalance      *prometheus.GaugeVec
	attempts       *prometheus.CounterVec
	firstSeconds   prometheus.Histogram
	calls          *prometheus.CounterVec
	unknown        prometheus.Gauge
	unknownSeconds prometheus.Gauge
	logDropped     prometheus.Counter

	routes sync.Map // routeStatus → *routeSeries: label lookup is paid once per series, not per request
}

type routeStatus struct {
	route  string
	status int
}

type routeSeries struct {
	count   prometheus.Counter
	seconds prometheus.Observer
}

// latencyBuckets reach from a hundred microseconds, below one disk flush, to the 10 s request deadline.
var latencyBuckets = []float64{
	.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10,
}

// New makes a registry with the platform's metrics and Go's own runtime and process metrics.
func New() *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "plexy_http_requests_total",
			Help: "Requests answered, by route template and HTTP status.",
		}, []string{"route", "status"}),
		requestSeconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "plexy_http_request_seconds",
			Help:    "Time from the first byte read to the answer written, by route template.",
			Buckets: latencyBuckets,
		}, []string{"route"}),
		operations: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "plexy_operations_total",
			Help: "Instructions decided, by kind and outcome (ok, replayed or the reason of the refusal).",
		}, []string{"kind", "outcome"}),
		batchSize: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "plexy_commit_batch_size",
			Help:    "Instructions sharing one durable transaction.",
			Buckets: prometheus.ExponentialBuckets(1, 2, 11), // 1 … 1024
		}),
		commitSeconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "plexy_commit_seconds",
			Help:    "Time of one durable transaction, by result (ok or the class of the failure).",
			Buckets: latencyBuckets,
		}, []string{"result"}),
		imbalance: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "plexy_ledger_imbalance_minor_units",
			Help: "Debits minus credits over the whole book, by currency. Anything but 0 is an alarm.",
		}, []string{"currency"}),
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "plexy_webhook_attempts_total",
			Help: "Attempts to deliver an event, by outcome.",
		}, []string{"outcome"}),
		firstSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "plexy_webhook_first_attempt_seconds",
			Help:    "Time from an event to the end of the first attempt to deliver it.",
			Buckets: latencyBuckets,
		}),
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "plexy_acquirer_calls_total",
			Help: "Calls to acquirers, and callbacks of theirs, by call and outcome.",
		}, []string{"call", "outcome"}),
		unknown: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "plexy_unknown_operations",
			Help: "Operations of card payments whose outcome is not known, at most 1000.",
		}),
		unknownSeconds: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "plexy_unknown_oldest_seconds",
			Help: "For how long the outcome of the oldest of them has not been known; 0 when there is none.",
		}),
		logDropped: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "plexy_log_write_failures_total",
			Help: "Times the request log could not be written.",
		}),
	}
	m.registry.MustRegister(m.requests, m.requestSeconds, m.operations, m.batchSize, m.commitSeconds,
		m.imbalance, m.attempts, m.firstSeconds, m.calls, m.unknown, m.unknownSeconds, m.logDropped,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Request counts one answered request. route is the template, never the path, so that ids do not make series.
func (m *Metrics) Request(route string, status int, took time.Duration) {
	if m == nil {
		return
	}
	key := routeStatus{route, status}
	found, ok := m.routes.Load(key)
	if !ok {
		found, _ = m.routes.LoadOrStore(key, &routeSeries{
			count:   m.requests.WithLabelValues(route, strconv.Itoa(status)),
			seconds: m.requestSeconds.WithLabelValues(route),
		})
	}
	series := found.(*routeSeries)
	series.count.Inc()
	series.seconds.Observe(took.Seconds())
}

// Operation counts one decided instruction. kind is the command's name, outcome is "ok", "replayed" or the
// reason it was refused for: both come from closed lists.
func (m *Metrics) Operation(kind, outcome string) {
	if m != nil {
		m.operations.WithLabelValues(kind, outcome).Inc()
	}
}

// Attempt counts one attempt to deliver an event by its outcome, which is of a closed list. For a first one
// sinceEvent is how long after its event it ended; for another one it is less than 0.
func (m *Metrics) Attempt(outcome string, sinceEvent time.Duration) {
	if m == nil {
		return
	}
	m.attempts.WithLabelValues(outcome).Inc()
	if sinceEvent >= 0 {
		m.firstSeconds.Observe(sinceEvent.Seconds())
	}
}

// Call counts one call to an acquirer, or a callback, by its outcome; both are of closed lists.
func (m *Metrics) Call(call, outcome string) {
	if m != nil {
		m.calls.WithLabelValues(call, outcome).Inc()
	}
}

// Unknown publishes how many operations of card payments have an unknown outcome, and since when the oldest.
func (m *Metrics) Unknown(count int, oldest time.Duration) {
	if m != nil {
		m.unknown.Set(float64(count))
		m.unknownSeconds.Set(oldest.Seconds())
	}
}

// Batch records one durable transaction: how many instructions shared it, how long it took, and "ok" or the
// class of what went wrong.
func (m *Metrics) Batch(size int, took time.Duration, result string) {
	if m == nil {
		return
	}
	m.batchSize.Observe(float64(size))
	m.commitSeconds.WithLabelValues(result).Observe(took.Seconds())
}

// WatchQueue registers a gauge that asks depth for the number of instructions waiting to be committed, each
// time the metrics are collected. Call it once.
func (m *Metrics) WatchQueue(depth func() int) {
	if m == nil {
		return
	}
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "plexy_commit_queue_depth",
		Help: "Instructions waiting for a batch.",
	}, func() float64 { return float64(depth()) }))
}

// WatchAcquirer registers gauges of the link to an acquirer's host: connections that are up, and
// authorizations that are being taken back. Call it once.
func (m *Metrics) WatchAcquirer(connected, undoing func() int) {
	if m == nil {
		return
	}
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "plexy_acquirer_connections",
		Help: "Connections to the acquirer's host that are signed on.",
	}, func() float64 { return float64(connected()) }), prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "plexy_acquirer_reversals",
		Help: "Authorizations that are being taken back, because their answer did not come.",
	}, func() float64 { return float64(undoing()) }))
}

// Imbalance publishes debits minus credits of one currency, in minor units. Anything but 0 is an alarm.
func (m *Metrics) Imbalance(currency string, minor int64) {
	if m != nil {
		m.imbalance.WithLabelValues(currency).Set(float64(minor))
	}
}

// LogFailed counts a failed write of the request log.
func (m *Metrics) LogFailed() {
	if m != nil {
		m.logDropped.Inc()
	}
}

// Handler answers with all metrics in Prometheus' text format. On a nil Metrics it answers 404.
func (m *Metrics) Handler() http.Handler {
	if m == nil {
		return http.NotFoundHandler()
	}
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

package server

import (
	"bytes"
	"io"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"plexy/internal/clock"
	"plexy/internal/metric"
)

const (
	// flushEvery bounds how long a log line waits in memory.
	flushEvery = 100 * time.Millisecond
	// flushAbove asks for a flush before that, so that a busy server writes in pieces of this size.
	flushAbove = 64 << 10
	// keepAtMost bounds what waits when the reader of our log has stopped reading. Lines beyond it are
	// counted and dropped: payments must not stop because a terminal did.
	keepAtMost = 4 << 20
)

// Log collects log lines in memory and writes them from a goroutine of its own, so that a request never
// pays for a write. Lines are whole, in order, and on the output at most 100 ms later, or when Close
// returns. It is safe for any number of goroutines.
type Log struct {
	handler slog.Handler
	level   slog.LevelVar
	metrics *metric.Metrics
	out     io.Writer

	mu      sync.Mutex // guards pending and dropped
	pending []byte
	dropped int

	writing sync.Mutex // one write at a time; guards spare
	spare   []byte

	full chan struct{}
	stop chan struct{}
	done chan struct{}
}

// NewLog starts a log that writes JSON lines to out and counts failed writes in metrics, which may be nil.
// Close must be called to write the last lines.
func NewLog(out io.Writer, metrics *metric.Metrics) *Log {
	l := &Log{
		metrics: metrics, out: out,
		full: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{}),
	}
	l.handler = slog.NewJSONHandler(lineWriter{l}, &slog.HandlerOptions{Level: &l.level})
	go l.run()
	return l
}

// Logger returns a logger whose lines go into this log, for the rooms that log something themselves.
func (l *Log) Logger() *slog.Logger { return slog.New(l.handler) }

// SetLevel leaves out lines below the given level; it begins as slog.LevelInfo.
func (l *Log) SetLevel(level slog.Level) { l.level.Set(level) }

// Flush writes everything collected so far.
func (l *Log) Flush() {
	l.writing.Lock()
	defer l.writing.Unlock()
	l.mu.Lock()
	lines, dropped := l.pending, l.dropped
	l.pending, l.dropped = l.spare[:0], 0
	l.mu.Unlock()
	if len(lines) > 0 {
		if _, err := l.out.Write(lines); err != nil {
			l.metrics.LogFailed() // nowhere else to say it
		}
	}
	if cap(lines) > keepAtMost/4 {
		lines = nil // one burst must not keep its memory for ever
	}
	l.spare = lines
	if dropped > 0 {
		l.Logger().Error("log lines dropped because the log could not be written fast enough",
			slog.Int("lines", dropped))
	}
}

// Close writes what is left and stops. Lines logged afterwards are lost.
func (l *Log) Close() {
	close(l.stop)
	<-l.done
	l.Flush()
}

func (l *Log) run() {
	defer close(l.done)
	ticks, stop := clock.Ticks(flushEvery)
	defer stop()
	for {
		select {
		case <-ticks:
		case <-l.full:
		case <-l.stop:
			return
		}
		l.Flush()
	}
}

// lineWriter is where the slog handler leaves its lines: one Write is one line.
type lineWriter struct{ log *Log }

func (w lineWriter) Write(line []byte) (int, error) {
	l := w.log
	l.mu.Lock()
	if l.room() {
		l.pending = append(l.pending, line...)
	}
	ask := len(l.pending) > flushAbove
	l.mu.Unlock()
	l.ask(ask)
	return len(line), nil
}

// room reports whether another line may wait, and counts it as dropped if not. The caller holds mu.
func (l *Log) room() bool {
	if len(l.pending) > keepAtMost {
		l.dropped++
		return false
	}
	return true
}

// ask wakes the writing goroutine early.
func (l *Log) ask(now bool) {
	if !now {
		return
	}
	select {
	case l.full <- struct{}{}:
	default: // a flush is asked for already
	}
}

// request writes the one line of a request, in the form that slog gives all others; writing it by hand
// costs a tenth. at and took are in microseconds.
func (l *Log) request(x *Exchange, method string, at, took int64) {
	if x.status < 500 && l.level.Level() > slog.LevelInfo {
		return
	}
	l.mu.Lock()
	if l.room() {
		b := append(l.pending, `{"time":"`...)
		b = clock.Time(at).AppendFormat(b, time.RFC3339Nano)
		if x.status < 500 {
			b = append(b, `","level":"INFO","msg":"request","requestId":"`...)
		} else {
			b = append(b, `","level":"ERROR","msg":"request","requestId":"`...)
		}
		b = appendPlain(b, x.ID)
		b = append(b, `","method":"`...)
		b = appendPlain(b, method)
		b = append(b, `","route":"`...)
		b = appendPlain(b, x.Route)
		b = append(b, `","status":`...)
		b = strconv.AppendInt(b, int64(x.status), 10)
		b = append(b, `,"durationMicros":`...)
		b = strconv.AppendInt(b, took, 10)
		b = append(b, `,"bytes":`...)
		b = strconv.AppendInt(b, x.written, 10)
		if x.Merchant != "" {
			b = append(b, `,"merchantId":"`...)
			b = appendPlain(b, x.Merchant)
			b = append(b, `","keyId":"`...)
			b = appendPlain(b, x.Key)
			b = append(b, '"')
		}
		l.pending = append(b, '}', '\n')
	}
	ask := len(l.pending) > flushAbove
	l.mu.Unlock()
	l.ask(ask)
}

// appendPlain writes text that is our own and needs no escaping; should it ever, the odd character is lost
// and the line stays one line of JSON.
func appendPlain(b []byte, text string) []byte {
	for i := range len(text) {
		c := text[i]
		if c < ' ' || c > '~' || c == '"' || c == '\\' {
			c = '?'
		}
		b = append(b, c)
	}
	return b
}

// trimmed is a one-line form of text of foreign origin, such as a stack, for a log attribute.
func trimmed(text []byte) string {
	const most = 8 << 10
	return string(bytes.TrimSpace(text[:min(len(text), most)]))
}

package bench

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"time"
)

// worker is one connection of the load and what it has seen of the current phase.
type worker struct {
	all  *generator
	wire *wire
	composer
	keys      []string  // API keys, taken in turn
	turn      int       // of the keys
	latencies []uint32  // microseconds, of requests answered inside the window
	last      time.Time // when the last of those was answered
	yield     []string  // transactions authorized or captured, for later phases
	current   string    // the transaction that the request in flight is about
	cursor    []byte    // where the list goes on, empty: at the newest
	page      int
}

func (w *worker) reset() {
	w.latencies, w.yield = w.latencies[:0], w.yield[:0]
	w.last = time.Time{}
	w.cursor, w.page = w.cursor[:0], 0
}

// pace waits until the n-th request of the given connection may begin, where the phase has a rate.
func (s *stretch) pace(connection, n, connections int) {
	due := time.Duration(float64(connection+n*connections) / s.Rate * float64(time.Second))
	time.Sleep(time.Until(s.begin.Add(due)))
}

// run sends one request after the other until the phase is over or its transactions are used up.
func (w *worker) run(s *stretch, connection int) error {
	if err := w.wire.conn.SetDeadline(s.end.Add(answerPatience)); err != nil {
		return fmt.Errorf("set the deadline: %w", err)
	}
	sent := time.Now()
	for n := 0; !s.stop.Load() && sent.Before(s.end); n++ {
		if s.Rate > 0 {
			s.pace(connection, n, len(w.all.workers))
			sent = time.Now()
		}
		if s.Requests > 0 && s.left.Add(-1) < 0 {
			return nil
		}
		request, more := w.next(s.Operation)
		if !more {
			return nil
		}
		status, body, err := w.wire.exchange(request)
		if err != nil {
			return err
		}
		answered := time.Now()
		if err := w.accept(s.Operation, status, body); err != nil {
			return err
		}
		if !answered.Before(s.open) && answered.Before(s.end) {
			w.latencies = append(w.latencies, uint32(answered.Sub(sent).Microseconds()))
			w.last = answered
		}
		sent = answered
	}
	return nil
}

// next composes the next request; false when no transaction is left to operate on.
func (w *worker) next(kind Operation) ([]byte, bool) {
	load := &w.all.load
	w.turn++
	w.apiKey = w.keys[w.turn%len(w.keys)]
	switch kind {
	case Authorize:
		payer := load.Payers[rand.IntN(len(load.Payers))]
		reference := int64(-1)
		if !load.RandomReferences {
			reference = w.all.reference.Add(1) - 1
		}
		return w.authorize(payer, reference), true
	case Capture, Cancel, Refund:
		from := &w.all.held
		if kind == Refund {
			from = &w.all.captured
		}
		id, more := from.take()
		if !more {
			return nil, false
		}
		w.current = id
		return w.operate(kind, id), true
	case Get:
		if len(w.all.known) == 0 {
			return nil, false
		}
		return w.get("/v1/wallet/transaction/", w.all.known[rand.IntN(len(w.all.known))]), true
	case List:
		if len(w.cursor) == 0 {
			return w.get(listPath), true
		}
		return w.get(listPath, "&cursor=", string(w.cursor)), true
	}
	return w.composeCard(kind)
}

var (
	succeeded   = []byte(`"walletTransactionStatus":"SUCCESS"`)
	idField     = []byte(`"walletTransactionId":"`)
	cursorField = []byte(`"nextCursor":"`)
)

// accept checks an answer and keeps what later requests need from it.
func (w *worker) accept(kind Operation, status int, body []byte) error {
	proof, aboutCards := proofs[kind]
	if !aboutCards {
		proof = succeeded
	}
	if status/100 != 2 || !bytes.Contains(body, proof) {
		return fmt.Errorf("answered %d %s", status, body[:min(len(body), 300)])
	}
	if aboutCards {
		return w.acceptCard(kind, body)
	}
	switch kind {
	case Authorize:
		id := stringAfter(body, bytes.Index(body, idField), len(idField))
		if id == nil {
			return fmt.Errorf("answered without an id: %s", body[:min(len(body), 300)])
		}
		w.yield = append(w.yield, string(id))
	case Capture:
		w.yield = append(w.yield, w.current)
	case List:
		w.cursor = w.cursor[:0]
		if w.page++; w.page%pagesDeep != 0 {
			at := bytes.LastIndex(body, cursorField)
			w.cursor = append(w.cursor, stringAfter(body, at, len(cursorField))...)
		}
	}
	return nil
}

// stringAfter returns the JSON string whose opening quote ends the field found at (negative: nil). Ids and
// cursors hold nothing that JSON escapes.
func stringAfter(body []byte, at, skip int) []byte {
	if at < 0 {
		return nil
	}
	rest := body[at+skip:]
	end := bytes.IndexByte(rest, '"')
	if end < 0 {
		return nil
	}
	return rest[:end]
}

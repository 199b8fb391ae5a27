package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// shop is a stand-in for the server: it remembers each transaction's state and refuses what it forbids.
type shop struct {
	mu         sync.Mutex
	state      map[string]string
	references map[string]bool
	keys       map[string]bool // API keys seen
	refuse     string          // path that is answered with FAILED
	pages      []string        // cursors asked for
}

func newShop() *shop {
	return &shop{state: map[string]string{}, references: map[string]bool{}, keys: map[string]bool{}}
}

func (s *shop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys[r.Header.Get("Authorization")] = true
	status, id := "SUCCESS", ""
	if s.refuse != "" && strings.HasSuffix(r.URL.Path, s.refuse) {
		status = "FAILED"
	}
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	switch {
	case strings.HasSuffix(r.URL.Path, "/authorize"):
		var in authorizeBody
		json.NewDecoder(r.Body).Decode(&in)
		s.references[in.OrderReference] = true
		id = fmt.Sprintf("wt_%08d", len(s.state))
		s.state[id] = "authorized"
	case strings.HasSuffix(r.URL.Path, "/transactions"), strings.HasSuffix(r.URL.Path, "/transactions/"):
		cursor := r.URL.Query().Get("cursor")
		s.pages = append(s.pages, cursor)
		fmt.Fprintf(w, `{"items":[{"walletTransactionId":"wt_1","walletTransactionStatus":"SUCCESS"}],`+
			`"nextCursor":"%sx"}`, cursor)
		return
	case r.Method == http.MethodGet:
		id = parts[3]
		if s.state[id] == "" {
			http.Error(w, "no such transaction", http.StatusNotFound)
			return
		}
	default:
		id = parts[2]
		from := map[string]string{"capture": "authorized", "cancel": "authorized", "refund": "capture"}
		if s.state[id] != from[parts[3]] {
			http.Error(w, id+" is "+s.state[id], http.StatusUnprocessableEntity)
			return
		}
		s.state[id] = parts[3]
	}
	fmt.Fprintf(w, `{"walletTransactionId":"%s","walletTransactionStatus":"%s"}`, id, status)
}

func (s *shop) count(state string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, is := range s.state {
		if is == state {
			n++
		}
	}
	return n
}

func playOn(t *testing.T, s *shop, phases ...Phase) (Outcome, error) {
	t.Helper()
	server := httptest.NewServer(s)
	defer server.Close()
	return play(context.Background(), Load{
		Address: strings.TrimPrefix(server.URL, "http://"), Connections: 4, APIKeys: []string{"a", "b"},
		Payers: []Payer{{"+77010000000", "600101400012"}}, FirstReference: 1,
		WatchPID: os.Getpid(), Phases: phases,
	})
}

func TestLoadUsesEachTransactionOnce(t *testing.T) {
	s := newShop()
	const hold, taken = 400, 150
	outcome, err := playOn(t, s,
		Phase{Operation: Authorize, Requests: hold},
		Phase{Operation: Capture, Requests: taken},
		Phase{Operation: Refund, Requests: taken / 2},
		Phase{Operation: Cancel, Window: time.Minute}, // ends when nothing is left to cancel
		Phase{Operation: Get, Requests: 50},
		Phase{Operation: List, Requests: 4 * (pagesDeep + 1)},
	)
	if err != nil {
		t.Fatal(err)
	}
	for state, want := range map[string]int{
		"authorized": 0, "capture": taken - taken/2, "refund": taken / 2, "cancel": hold - taken,
	} {
		if got := s.count(state); got != want {
			t.Errorf("%d transactions ended as %q, want %d", got, state, want)
		}
	}
	if len(s.references) != hold || !s.references["ORDER-000001"] || !s.references["ORDER-000400"] {
		t.Errorf("%d different order references, want ORDER-000001 to ORDER-000400", len(s.references))
	}
	if outcome.NextReference != hold+1 {
		t.Errorf("the next reference is %d, want %d", outcome.NextReference, hold+1)
	}
	if len(s.keys) != 2 {
		t.Errorf("%d API keys were used, want both", len(s.keys))
	}
	wanted := []int64{hold, taken, taken / 2, hold - taken, 50, 4 * (pagesDeep + 1)}
	for i, m := range outcome.Measures {
		if m.Requests != wanted[i] || m.PerSecond <= 0 || m.P50 <= 0 || m.P99 < m.P50 {
			t.Errorf("phase %d measured %+v, want %d requests", i, m, wanted[i])
		}
	}
	if len(outcome.SampleIDs) != hold {
		t.Errorf("%d ids in the sample, want all %d", len(outcome.SampleIDs), hold)
	}
	deepest := 0
	for _, cursor := range s.pages {
		deepest = max(deepest, len(cursor))
	}
	if deepest != pagesDeep-1 {
		t.Errorf("the list went %d pages past the newest, want %d", deepest, pagesDeep-1)
	}
}

func TestLoadMeasuresOnlyTheWindow(t *testing.T) {
	s := newShop()
	outcome, err := playOn(t, s,
		Phase{Operation: Authorize, WarmUp: 300 * time.Millisecond}, // a preparation, not measured
		Phase{Operation: Authorize, WarmUp: 500 * time.Millisecond, Window: time.Second},
	)
	if err != nil {
		t.Fatal(err)
	}
	if got := outcome.Measures[0].Requests; got != 0 {
		t.Errorf("the preparation measured %d requests, want 0", got)
	}
	m := outcome.Measures[1]
	if total := int64(s.count("authorized")); m.Requests == 0 || m.Requests >= total {
		t.Errorf("measured %d of %d requests, want some but not the warm-up's", m.Requests, total)
	}
}

func TestLoadFailsOnARefusal(t *testing.T) {
	s := newShop()
	s.refuse = "/capture"
	_, err := playOn(t, s, Phase{Operation: Authorize, Requests: 10}, Phase{Operation: Capture, Requests: 10})
	if err == nil || !strings.Contains(err.Error(), "capture") || !strings.Contains(err.Error(), "FAILED") {
		t.Errorf("the load says %v, want the FAILED answer to capture", err)
	}
	_, err = playOn(t, newShop(), Phase{Operation: List, Requests: 1}, Phase{Operation: Get, Requests: 1})
	if err == nil {
		t.Error("a load that has no transaction to get was a success")
	}
}

func TestLoadEndsWithItsContext(t *testing.T) {
	server := httptest.NewServer(newShop())
	defer server.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	_, err := play(ctx, Load{
		Address: strings.TrimPrefix(server.URL, "http://"), Connections: 2, APIKeys: []string{"a"},
		Payers: []Payer{{}}, Phases: []Phase{{Operation: Authorize, Window: time.Hour}},
	})
	if err == nil {
		t.Error("a load that was cancelled was a success")
	}
}

func TestKeysAreDealtInTurn(t *testing.T) {
	for _, c := range []struct {
		keys, connections int
		want              string // of the first connection and the last
	}{{5, 2, "[a c e] [b d]"}, {2, 4, "[a] [b]"}, {3, 3, "[a] [c]"}, {1, 2, "[a] [a]"}} {
		keys := []string{"a", "b", "c", "d", "e"}[:c.keys]
		got := fmt.Sprint(dealt(keys, 0, c.connections), dealt(keys, c.connections-1, c.connections))
		if got != c.want {
			t.Errorf("%d keys for %d connections: %s instead of %s", c.keys, c.connections, got, c.want)
		}
	}
}

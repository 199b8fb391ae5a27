package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// till is a stand-in for the doors of card payments: it notes what came, and refuses what it does not know.
type till struct {
	mu       sync.Mutex
	state    map[string]string // of payments
	orders   map[string]bool   // of links and payments
	cards    map[string]int
	pages    map[int]bool
	declines bool
}

func (s *till) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var in struct {
		OrderReference string
		Amount         float64
		OrderDetails   struct {
			Amount         float64
			OrderReference string
		}
		CardData struct{ TokenID string }
	}
	if r.Method == http.MethodPost && json.NewDecoder(r.Body).Decode(&in) != nil {
		http.Error(w, "not JSON", http.StatusBadRequest)
		return
	}
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	switch path := r.URL.Path; {
	case path == "/v1/payment-links" && in.Amount == amountMinor:
		s.orders[in.OrderReference] = true
		w.WriteHeader(http.StatusCreated)
		fmt.Fprint(w, `{"id":"pl_1","status":"active"}`)
	case path == "/v1/payments/direct" && in.OrderDetails.Amount == amountMinor/100:
		s.cards[in.CardData.TokenID]++
		s.orders[in.OrderDetails.OrderReference] = true
		id := fmt.Sprintf("p%08d", len(s.state))
		s.state[id] = "held"
		fmt.Fprintf(w, `{"id":"%s","success":%t}`, id, !s.declines)
	case len(parts) == 4 && in.Amount == amountMinor/100:
		if s.state[parts[2]] != map[string]string{"capture": "held", "refund": "capture"}[parts[3]] {
			http.Error(w, s.state[parts[2]], http.StatusUnprocessableEntity)
			return
		}
		s.state[parts[2]] = parts[3]
		fmt.Fprint(w, `{"success":true}`)
	case path == "/v1/transactions", path == "/v1/customers/c1/transactions":
		page, _ := strconv.Atoi(r.URL.Query().Get("page"))
		s.pages[page] = true
		fmt.Fprint(w, `{"data":[{"id":"p1"}]}`)
	case strings.HasPrefix(path, "/v1/transactions/by-order-reference/PAID-0000000"):
		fmt.Fprintf(w, `{"orderReference":"%s"}`, parts[3])
	default:
		http.NotFound(w, r)
	}
}

func TestLoadOfCardPayments(t *testing.T) {
	s := &till{
		state: map[string]string{}, orders: map[string]bool{}, cards: map[string]int{}, pages: map[int]bool{},
	}
	server := httptest.NewServer(s)
	defer server.Close()
	const n, some = 300, 100
	load := Load{
		Address: strings.TrimPrefix(server.URL, "http://"), Connections: 4, APIKeys: []string{"a"},
		Payers: []Payer{{}}, FirstReference: 1,
		Stock: Stock{Customers: []string{"c1"}, Cards: []string{"t1", "t2"}, Payments: 10 * listSize, Filled: 9},
		Phases: []Phase{
			{Operation: CreateLink, Requests: some}, {Operation: Pay, Requests: n},
			{Operation: CapturePaid, Requests: some}, {Operation: RefundPaid, Requests: some},
			{Operation: ListPaid, Requests: 1}, {Operation: ListPaidLow, Requests: some},
			{Operation: ListPaidBy, Requests: 1}, {Operation: FindPaid, Requests: some},
		},
	}
	outcome, err := play(context.Background(), load)
	if err != nil {
		t.Fatal(err)
	}
	for i, m := range outcome.Measures {
		if m.Requests != load.Phases[i].Requests {
			t.Errorf("%s measured %d requests, want %d", m.Operation, m.Requests, load.Phases[i].Requests)
		}
	}
	refunded := 0
	for _, state := range s.state {
		if state == "refund" {
			refunded++
		}
	}
	if refunded != some || len(s.orders) != n+some || s.cards["t1"]+s.cards["t2"] != n || len(s.cards) != 2 {
		t.Errorf("%d refunded, %d orders, cards %v", refunded, len(s.orders), s.cards)
	}
	for page := range 12 {
		if want := page == 1 || page > 5 && page <= 10; s.pages[page] != want {
			t.Errorf("page %d was asked for: %v", page, !want)
		}
	}

	s.declines, load.Phases = true, []Phase{{Operation: Pay, Requests: 1}}
	if _, err := play(context.Background(), load); err == nil || !strings.Contains(err.Error(), "false") {
		t.Errorf("a decline is %v", err)
	}
	load.Stock = Stock{}
	for _, kind := range []Operation{Pay, ListPaidBy, FindPaid} {
		load.Phases[0].Operation = kind
		if _, err := play(context.Background(), load); err == nil || !strings.Contains(err.Error(), "needs") {
			t.Errorf("%s without what it needs is %v", kind, err)
		}
	}
}

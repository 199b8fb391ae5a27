package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
)

// authorizeBody is the request that the two yardsticks decode.
type authorizeBody struct {
	Amount         int64  `json:"amount"`
	PhoneNumber    string `json:"phoneNumber"`
	IIN            string `json:"iin"`
	OrderReference string `json:"orderReference"`
	Currency       string `json:"currency"`
}

// authorizeAnswer is what they answer: the five documented fields.
type authorizeAnswer struct {
	ID             string `json:"walletTransactionId"`
	Status         string `json:"walletTransactionStatus"`
	OrderReference string `json:"orderReference"`
	Amount         int64  `json:"amount"`
	Currency       string `json:"currency"`
}

// ServeEcho serves the yardstick on address until ctx ends: it decodes an authorize with encoding/json
// and answers the five fields as JSON, and does nothing else.
func ServeEcho(ctx context.Context, address string) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /readyz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("POST /v1/wallet/authorize", echo)
	return serve(ctx, address, mux)
}

func echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, "unreadable", http.StatusBadRequest)
		return
	}
	var in authorizeBody
	if err := json.Unmarshal(body, &in); err != nil {
		http.Error(w, "not JSON", http.StatusBadRequest)
		return
	}
	answer(w, authorizeAnswer{
		ID: "wt_01JDM3Z7V8H8Q2X9K0R1ABCD12", Status: "SUCCESS",
		OrderReference: in.OrderReference, Amount: in.Amount, Currency: in.Currency,
	})
}

func answer(w http.ResponseWriter, out authorizeAnswer) {
	body, err := json.Marshal(out)
	if err != nil {
		http.Error(w, "cannot render", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	w.Write(body)
}

// serve runs a yardstick's server on address until ctx ends.
func serve(ctx context.Context, address string, handler http.Handler) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	server := &http.Server{Handler: handler}
	stop := context.AfterFunc(ctx, func() { server.Close() })
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}

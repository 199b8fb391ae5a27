package receiver_test

import (
	"context"
	"log"
	"net/http"
	"os"
	"strings"

	"plexy/receiver"
)

// This page of a merchant's program stands in docs/webhooks.md too; a test compares them.
func Example() {
	r, err := receiver.New(os.Getenv("PLEXY_TOKEN"), strings.Fields(os.Getenv("PLEXY_SECRETS"))...)
	if err != nil {
		log.Fatal(err)
	}
	http.Handle("/plexy", r.Handler(func(ctx context.Context, e receiver.Event) error {
		return note(ctx, e) // e.ID is the key under which you keep it: an event may come twice
	}))
	log.Fatal(http.ListenAndServe("127.0.0.1:3000", nil))
}

func note(context.Context, receiver.Event) error { return nil }

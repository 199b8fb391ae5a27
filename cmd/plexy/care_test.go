package main

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"plexy/internal/app"
)

// TestMerchantsAreToldByTheTestClock has two servers, an endpoint that nobody answers at, and a clock that is
// moved on: the sandbox's outbox has one message a stage, and no log has the address.
func TestMerchantsAreToldByTheTestClock(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		s := r.serve()
		other := s
		if strings.HasPrefix(r.database, "postgres") {
			other = r.serve()
		}
		shop := r.shop()
		shown := r.do("merchant", "set", shop.MerchantID, "contact_email=owner@shop.kz", "contact_language=ru")
		if !strings.Contains(shown, "o***@shop.kz") || strings.Contains(shown, "owner@") {
			t.Errorf("set printed %s", shown)
		}
		r.refuse(2, "contact_email", "merchant", "set", shop.MerchantID, "contact_email=owner")
		var e app.Endpoint
		r.record(&e, "webhook", "create", "--merchant", shop.MerchantID, "--url", "http://127.0.0.1:1/hook")
		s.sell(shop.APIKey)
		eventually(r, "the endpoint fails", func() error {
			var all []app.Endpoint
			r.record(&all, "webhook", "list", "--merchant", shop.MerchantID)
			if len(all) != 1 || all[0].FailingSince == nil {
				return fmt.Errorf("%+v", all)
			}
			return nil
		})
		told := func(want ...string) {
			t.Helper()
			eventually(r, "the outbox has the messages", func() error {
				status, text, err := s.raw(shop.APIKey, http.MethodGet, "/v1/sandbox/outbox", "")
				if err != nil || status != http.StatusOK || strings.Contains(text, "owner@") {
					return fmt.Errorf("%d %s %v", status, text, err)
				}
				if n := strings.Count(text, `"kind":"webhook_`); n != len(want) {
					return fmt.Errorf("%d messages: %s", n, text)
				}
				for _, part := range append(want, e.EndpointID, `"to":"o***@shop.kz","language":"ru"`) {
					if !strings.Contains(text, part) {
						return errors.New("the outbox lacks " + part)
					}
				}
				return nil
			})
		}
		r.do("sandbox", "clock", "--advance", "1h")
		told("уже 1 ч")
		r.do("sandbox", "clock", "--advance", "23h")
		told("уже 1 ч", "уже 24 ч")
		r.do("sandbox", "clock", "--advance", "97h")
		told("уже 1 ч", "уже 24 ч", "webhook_disabled")
		for _, server := range []*running{s, other} {
			if strings.Contains(server.log.String(), "owner@") {
				t.Error("the log has the address")
			}
		}
	})
}

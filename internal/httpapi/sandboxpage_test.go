package httpapi_test

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"plexy/internal/sandbox"
	"plexy/internal/storage/memory"
)

// page gets a page as a browser does, without a key.
func (r *rig) page(method, path string) *httptest.ResponseRecorder {
	recorder := httptest.NewRecorder()
	r.handler.ServeHTTP(recorder, httptest.NewRequest(method, path, nil))
	return recorder
}

// TestSandboxPage: it has all five tables and nothing that its policy does not allow.
func TestSandboxPage(t *testing.T) {
	p := newPlayground(t, memory.New())
	got := p.page(http.MethodGet, "/sandbox")
	body := got.Body.String()
	if got.Code != 200 || got.Header().Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatalf("%d %v", got.Code, got.Header())
	}
	style := regexp.MustCompile(`(?s)<style>(.*)</style>`).FindStringSubmatch(body)
	if len(style) != 2 {
		t.Fatal("the page has no style")
	}
	sum := sha256.Sum256([]byte(style[1]))
	want := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; "
	if policy := got.Header().Get("Content-Security-Policy"); !strings.HasPrefix(policy, want) ||
		!strings.Contains(policy, "frame-ancestors 'none'") || strings.Contains(policy, "unsafe") {
		t.Errorf("the policy is %s, want %s", policy, want)
	}
	for _, forbidden := range []string{"<script", " style=", " src=", "http-equiv", "onclick", "<form"} {
		if strings.Contains(body, forbidden) {
			t.Errorf("the page has %s", forbidden)
		}
	}
	for _, payer := range sandbox.Payers() {
		if !strings.Contains(body, payer.Phone()) || !strings.Contains(body, string(payer.Failure())) {
			t.Errorf("the page does not tell of %s", payer.Phone())
		}
	}
	for _, card := range sandbox.Cards() {
		if !strings.Contains(body, card.Number) {
			t.Errorf("the page does not tell of %s", card.Number)
		}
	}
	for _, fault := range sandbox.Faults() {
		if !strings.Contains(body, "<code>"+string(fault)+"</code>") || fault.Words() == "" {
			t.Errorf("the page does not tell of %s", fault)
		}
	}
	if strings.Count(body, "<table>") != 5 || strings.Count(body, "<tr>") != strings.Count(body, "</tr>") ||
		!strings.HasPrefix(body, "<!doctype html>") || !strings.HasSuffix(body, "</html>\n") {
		t.Error("the page is not whole")
	}
	if got := p.page(http.MethodPost, "/sandbox"); got.Code != 405 {
		t.Errorf("POST: %d", got.Code)
	}
}

// TestSandboxValues: the JSON tells the same as the tables.
func TestSandboxValues(t *testing.T) {
	p := newPlayground(t, memory.New())
	a := p.do(ask{"GET", "/v1/sandbox/values", "", "", nil})
	for name, want := range map[string]int{
		"phoneNumbers": len(sandbox.Payers()), "amounts": len(sandbox.Amounts()), "faults": len(sandbox.Faults()),
		"cards": len(sandbox.Cards()), "cardAmounts": len(sandbox.Lates()),
	} {
		if list, _ := a.fields[name].([]any); a.status != 200 || len(list) != want {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
}

func TestProductionHasNoSandboxPages(t *testing.T) {
	r := newRig(t)
	for _, path := range []string{"/sandbox", "/v1/sandbox/values", "/v1/sandbox/clock"} {
		if got := r.page(http.MethodGet, path); got.Code != 404 {
			t.Errorf("%s: %d", path, got.Code)
		}
	}
}

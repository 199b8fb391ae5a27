package access_test

import (
	"testing"

	"plexy/internal/access"
)

func TestNewSecretIsWellFormedAndFresh(t *testing.T) {
	a, b := access.NewSecret(), access.NewSecret()
	if a == b {
		t.Fatal("two keys are the same")
	}
	for _, s := range []string{a, b} {
		if !access.WellFormed(s) {
			t.Errorf("%q is not well formed", s)
		}
	}
	if access.HashOf(a) == access.HashOf(b) {
		t.Error("two keys have one hash")
	}
}

func TestWellFormedRefusesEverythingElse(t *testing.T) {
	for _, s := range []string{
		"", "pr_", "pr_0123456789abcdef0123456789abcde", "pr_0123456789abcdef0123456789abcdef0",
		"pr_0123456789ABCDEF0123456789ABCDEF", "sk_0123456789abcdef0123456789abcdef",
		"pr_0123456789abcdef0123456789abcdeg", " r_0123456789abcdef0123456789abcdef",
	} {
		if access.WellFormed(s) {
			t.Errorf("%q was taken for a key", s)
		}
	}
}

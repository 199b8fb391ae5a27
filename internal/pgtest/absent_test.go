package pgtest

import (
	"errors"
	"fmt"
	"runtime"
	"testing"
)

// fake records how a test was ended; the embedded TB is never called for anything else.
type fake struct {
	testing.TB
	skipped, failed bool
}

func (f *fake) Helper()               { /* nothing to mark */ }
func (f *fake) Skipf(string, ...any)  { f.skipped = true; runtime.Goexit() }
func (f *fake) Fatalf(string, ...any) { f.failed = true; runtime.Goexit() }
func ended(err error) (skip, fail bool) {
	var f fake
	done := make(chan struct{})
	go func() {
		defer close(done)
		give(&f, err)
	}()
	<-done
	return f.skipped, f.failed
}

func TestAbsentServerIsNeverSilent(t *testing.T) {
	absent, broken := fmt.Errorf("%w: none", errAbsent), errors.New("does not answer")
	for _, tt := range []struct {
		name, ci   string
		err        error
		skip, fail bool
	}{
		{"absent on a desk", "", absent, true, false},
		{"absent, CI said no", "false", absent, true, false},
		{"absent in CI", "true", absent, false, true},
		{"broken on a desk", "", broken, false, true},
		{"broken in CI", "true", broken, false, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("CI", tt.ci)
			if skip, fail := ended(tt.err); skip != tt.skip || fail != tt.fail {
				t.Errorf("skipped %v, failed %v; want %v, %v", skip, fail, tt.skip, tt.fail)
			}
		})
	}
}

func TestAddressOfAnotherDatabase(t *testing.T) {
	got, err := withDatabase("postgres://u:p@db:6432/postgres?sslmode=disable", "one")
	if want := "postgres://u:p@db:6432/one?sslmode=disable"; err != nil || got != want {
		t.Errorf("%s, %v; want %s", got, err, want)
	}
	for _, bad := range []string{"mysql://db/x", "db", "postgres://[::1/x"} {
		if got, err := withDatabase(bad, "one"); err == nil {
			t.Errorf("%s was taken for %s", bad, got)
		}
	}
}

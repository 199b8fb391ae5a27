package proof_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"plexy/internal/customer"
	"plexy/internal/pgtest"
)

// The two engines behind which everything is proven.
const (
	onSQLite   = "sqlite"
	onPostgres = "postgres"
)

// site is one installation under test: a database, a master key, a merchant, and any number of servers.
type site struct {
	testing.TB
	engine   string
	data     string // --data of the command line and of the first server
	database string
	merchant merchant
	servers  []*server
	people   int // made-up customers used so far
}

// merchant is what `plexy merchant create --json` prints.
type merchant struct {
	ID   string `json:"merchantId"`
	Name string `json:"name"`
	Key  string `json:"apiKey"`
}

// payer is a made-up customer.
type payer struct{ phone, iin string }

// balance is what `plexy wallet show --json` prints, in minor units.
type balance struct {
	WalletID  string `json:"walletId"`
	Currency  string `json:"currency"`
	Available int64  `json:"available"`
	Pending   int64  `json:"pending"`
	Posted    int64  `json:"posted"`
	Status    string `json:"status"`
}

// onBoth runs a test on each engine, on an installation of its own with one server running.
func onBoth(t *testing.T, run func(*testing.T, *site)) {
	for _, engine := range []string{onSQLite, onPostgres} {
		t.Run(engine, func(t *testing.T) {
			s := newSite(t, engine)
			s.serve()
			run(t, s)
		})
	}
}

// newSite makes an installation with one merchant and no server.
func newSite(t testing.TB, engine string) *site {
	t.Helper()
	if engine == onPostgres {
		return newSiteAt(t, t.TempDir(), pgtest.Database(t))
	}
	return newSiteAt(t, t.TempDir(), "")
}

// newSiteAt makes it in the given folder; database "" is SQLite in that folder.
func newSiteAt(t testing.TB, data, database string) *site {
	t.Helper()
	s := &site{TB: t, engine: onPostgres, data: data, database: database}
	if database == "" {
		s.engine, s.database = onSQLite, "sqlite:"+filepath.Join(data, "plexy.db")
	}
	s.merchant = s.newMerchant("Proof")
	return s
}

// plexy runs a command on this installation and returns its standard output.
func (s *site) plexy(arguments ...string) ([]byte, error) {
	s.Helper()
	return execute(s, nil, append(arguments, "--data", s.data, "--database", s.database)...)
}

// run does the same and ends the test when the command fails.
func (s *site) run(arguments ...string) []byte {
	s.Helper()
	out, err := s.plexy(arguments...)
	if err != nil {
		s.Fatal(err)
	}
	return out
}

// record runs a command with --json and decodes what it prints.
func (s *site) record(into any, arguments ...string) {
	s.Helper()
	out := s.run(append(arguments, "--json")...)
	if err := json.Unmarshal(out, into); err != nil {
		s.Fatalf("plexy %v printed no record: %v\n%s", arguments, err, out)
	}
}

func (s *site) newMerchant(name string) merchant {
	s.Helper()
	var m merchant
	s.record(&m, "merchant", "create", "--name", name)
	if m.ID == "" || m.Key == "" {
		s.Fatalf("merchant create printed an incomplete record: %+v", m)
	}
	return m
}

// person returns a made-up customer that this site has not used yet, and who has no wallet.
func (s *site) person() payer {
	s.people++
	return personAt(s.people - 1)
}

// personAt is the n-th person. The demo of a sandbox uses the first ones.
func personAt(n int) payer {
	iin, phone := customer.Example(1000 + n)
	return payer{phone: phone.Reveal(), iin: iin.Reveal()}
}

// fund makes n customers with a wallet in KZT holding amount minor units each.
func (s *site) fund(n int, amount int64) []payer {
	s.Helper()
	people := make([]payer, n)
	for i := range people {
		people[i] = s.person()
	}
	var (
		wait sync.WaitGroup
		desk = make(chan struct{}, 2) // processes at once
		mu   sync.Mutex
		bad  error
	)
	for _, p := range people {
		wait.Go(func() {
			desk <- struct{}{}
			defer func() { <-desk }()
			_, err := s.plexy("wallet", "top-up", "--phone", p.phone, "--iin", p.iin, "--currency", "KZT",
				"--amount", strconv.FormatInt(amount, 10), "--json")
			if err != nil {
				mu.Lock()
				defer mu.Unlock()
				bad = err
			}
		})
	}
	wait.Wait()
	if bad != nil {
		s.Fatal(bad)
	}
	return people
}

// wallet asks the command line for a customer's balance.
func (s *site) wallet(p payer) (balance, error) {
	s.Helper()
	out, err := s.plexy("wallet", "show", "--phone", p.phone, "--iin", p.iin, "--currency", "KZT", "--json")
	if err != nil {
		return balance{}, err
	}
	var b balance
	if err := json.Unmarshal(out, &b); err != nil {
		return b, fmt.Errorf("wallet show printed no record: %w\n%s", err, out)
	}
	return b, nil
}

// verify recomputes the books; they must be whole.
func (s *site) verify() {
	s.Helper()
	out, err := s.plexy("verify")
	if err != nil {
		s.Fatalf("the books are not whole: %v\n%s", err, out)
	}
}

// merchantSettings changes settings of the site's merchant.
func (s *site) merchantSettings(settings ...string) {
	s.Helper()
	s.run(append([]string{"merchant", "set", s.merchant.ID}, settings...)...)
}

// soak says whether the long form of the tests is wanted.
func soak() bool { return os.Getenv("PLEXY_TEST_SOAK") == "1" }

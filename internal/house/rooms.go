package house

// This file is the data of the rules: which rooms there are, what each may use, and why.

// recordRooms are what storage keeps and therefore speaks of: the money core and the plain records.
var recordRooms = []string{"core/", "access", "customer", "event", "merchant", "sandbox", "shopper"}

// keeperRooms are what one keeper of the storage contract may use besides.
var keeperRooms = append([]string{"clock", "id", "storage", "storage/sqlstore"}, recordRooms...)

// mayImport is who may import whom inside the module. What is not here is forbidden. A trailing slash means
// everything below. The arrows point down: from doors over commit and storage to the pure floor.
var mayImport = map[string][]string{
	"core/money":   {},
	"core/reject":  {},
	"core/ledger":  {"core/money", "core/reject"},
	"core/journal": {"core/money", "core/ledger"},
	"core/wallet":  {"core/money", "core/reject", "core/ledger", "core/journal"},
	"core/link":    {"core/money", "core/reject", "core/journal"},
	"core/payment": {"core/money", "core/reject", "core/ledger", "core/journal"},
	"core/machine": {"core/"},

	"card": {}, "clock": {}, "config": {}, "id": {}, "metric": {}, "vault": {"card"},

	"locale":   {"core/money"},
	"merchant": {"clock", "core/money", "sandbox"},
	"customer": {"core/money"},
	"access":   {"merchant"},
	"event":    {"core/", "id"},
	"shopper":  {"core/money"},
	"explain":  {"core/", "event", "storage"},
	"view":     {"clock", "core/", "event", "shopper"},

	"sandbox": {"core/"},

	"connector":               {"card", "core/money"},
	"connector/sandbox":       {"card", "clock", "connector", "core/money", "sandbox", "storage"},
	"connector/sandbox/acs":   {"connector/sandbox", "locale", "sandbox", "server"},
	"connector/connectortest": {"card", "connector", "core/money"},
	"connector/iso8583":       {"card", "clock", "connector", "connector/iso8583/wire"},
	"connector/iso8583/wire":  {"core/money"},
	"connector/iso8583/host":  {"clock", "connector/iso8583/wire"},
	// a program to try the link by hand
	"connector/iso8583/host/hostrun": {"connector/iso8583/host"},

	"storage":                recordRooms,
	"storage/sqlstore":       append([]string{"id", "storage"}, recordRooms...),
	"storage/sqlite":         append([]string{"storage/sqlite/logfile"}, keeperRooms...),
	"storage/sqlite/logfile": {},
	"storage/postgres":       keeperRooms,
	"storage/memory":         append([]string{"storage"}, recordRooms...),
	"storage/storagetest":    append([]string{"id", "storage"}, recordRooms...),

	"acquiring":      {"card", "clock", "connector", "core/", "merchant", "shopper", "storage", "vault"},
	"acquiring/door": {"acquiring", "connector", "server"},

	"commit": {"core/machine", "core/reject", "storage", "clock", "metric"},
	"verify": append([]string{"clock", "id", "storage"}, recordRooms...),

	"notify": {"clock", "customer", "locale", "merchant", "storage"},

	"server":  {"clock", "id", "metric"},
	"web":     {"access", "core/money", "locale", "server"},
	"webhook": {"clock", "event", "sandbox", "storage", "view"},
	"httpapi": {"access", "acquiring", "card", "clock", "commit", "connector", "core/", "customer", "event",
		"explain", "id", "merchant", "sandbox", "server", "shopper", "storage", "vault", "view", "webhook"},
	"checkout": {"access", "acquiring", "card", "clock", "connector", "core/", "merchant", "server", "shopper",
		"storage", "web"},
	"walletpage": {"access", "clock", "core/", "customer", "id", "locale", "merchant", "notify", "server",
		"storage", "vault", "view", "web"},

	"app":       {"*"},
	"cmd/plexy": {"app", "bench", "clock", "config"},
	"api":       {},
	"receiver":  {}, // merchants import it: it stands alone

	// What proves and measures. Nothing that ships imports these, but for the command line that starts bench.
	"bench": append([]string{"app", "clock", "id", "storage/sqlstore", "vault"}, recordRooms...),
	"sim": append([]string{"clock", "commit", "explain", "id", "storage", "storage/memory", "storage/postgres",
		"storage/sqlite", "verify"}, recordRooms...),
	"proof":         {},
	"pagetest":      {},
	"pgtest":        {},
	"pgtest/pgrun":  {"pgtest"},
	"house":         {},
	"house/testrun": {},
}

// proofRooms are the rooms, tests aside, that prove and measure instead of shipping.
var proofRooms = []string{
	"bench", "connector/connectortest", "house", "house/", "pagetest", "pgtest", "pgtest/", "proof", "sim",
	"storage/storagetest",
}

// revealsCVV is the only method that gives the digits of a CVV away. Rooms that may call it may not import
// what is in keepingRooms: a test compares the two.
const revealsCVV = "RevealToAcquirer"

// keepingRooms seal or store.
var keepingRooms = []string{"vault", "storage", "storage/", "commit", "app"}

// coreLibrary is all of the standard library that the money core may import: nothing in it reads, writes,
// waits or throws dice.
var coreLibrary = []string{
	"cmp", "errors", "fmt", "math", "math/big", "math/bits", "slices", "sort", "strconv", "strings",
}

// guards are what only some rooms may touch. sim is not named anywhere: everything in it comes from a seed.
var guards = []Guard{
	{
		What:  "the clock of the machine",
		Calls: []string{"time.Now", "time.Since", "time.Until"},
		Rooms: []string{"clock", "id", "bench", "pgtest", "receiver"},
		Why: "time comes from internal/clock, so that tests and the simulator can set it; an id carries its " +
			"own, and the receiver runs in programs of merchants",
	},
	{
		What: "timers",
		Calls: []string{"time.Sleep", "time.After", "time.AfterFunc", "time.NewTimer", "time.NewTicker",
			"time.Tick"},
		Rooms: []string{"clock", "storage/postgres", "bench", "pgtest"},
		Why:   "waiting is for clocks and for a keeper's pause before it asks a lost database again",
	},
	{
		What:    "cryptographic randomness",
		Imports: []string{"crypto/rand"},
		Rooms:   []string{"access", "id", "vault"},
		Why:     "keys, ids and seals are made there and nowhere else",
	},
	{
		What:    "dice",
		Imports: []string{"math/rand", "math/rand/v2"},
		Rooms:   []string{"bench", "pgtest", "sim"},
		Why:     "what the product does follows from its input; secrets need crypto/rand",
	},
	{
		What:  "the environment",
		Calls: []string{"os.Getenv", "os.LookupEnv", "os.Environ", "os.ExpandEnv"},
		Rooms: []string{"config", "cmd/plexy", "bench", "pagetest", "pgtest", "pgtest/pgrun"},
		Why:   "settings are read in one place, checked and printed there",
	},
	{
		What: "a SQL driver",
		Imports: []string{"database/sql", "github.com/jackc/pgx/", "github.com/pressly/goose/", "modernc.org/",
			"zombiezen.com/go/sqlite"},
		Rooms: []string{"storage/sqlite", "storage/sqlite/logfile", "storage/postgres", "bench", "pgtest"},
		Why:   "SQL is the keepers' trade; bench has its yardstick of one transaction per request",
	},
	{
		What:    "HTTP",
		Imports: []string{"net/http"},
		Rooms: []string{"server", "httpapi", "web", "walletpage", "checkout", "acquiring/door",
			"connector/sandbox/acs", "notify", "metric", "webhook", "bench", "receiver"},
		Why: "doors, webhooks and gateways of messages speak HTTP; what is behind them does not know who asked",
	},
	{
		What:   "the go statement",
		GoStmt: true,
		Rooms: []string{"acquiring", "commit", "connector/iso8583", "connector/iso8583/host", "server", "webhook",
			"storage/storagetest", "bench", "pgtest", "pgtest/pgrun", "house/testrun"},
		Why: "a goroutine needs an owner who ends it; everybody else is called",
	},
	{
		What:    "the digits of a CVV",
		Methods: []string{revealsCVV},
		Rooms:   []string{"connector/iso8583"},
		Why: "a CVV goes to the acquirer and is kept nowhere, not even sealed (PCI DSS 3.3.1): only connectors " +
			"may see it, and they can keep nothing",
	},
	{
		What:    "unsafe memory and reflection by hand",
		Imports: []string{"unsafe", "C"},
		Rooms:   []string{"storage/sqlite/logfile"},
		Why: "one static binary without cgo, and no cleverness that a reader cannot check; only the file " +
			"system under SQLite's log speaks to the engine's memory, as the engine's own wrappers do",
	},
}

// sizeExceptions may be larger than the house numbers for now. The list is empty; keep it so.
var sizeExceptions = []string{}

// modules are the dependencies we chose. The standard library comes first; a module is here because the
// job is not ours and somebody does it well.
var modules = []Module{
	{Path: "github.com/a-h/templ", Why: "pages as compiled, escaping components: html/template keeps every " +
		"method of every type in the binary, two MiB of them in memory"},
	{Path: "github.com/bits-and-blooms/bloom/v3", Why: "filter before the idempotency buckets of SQLite"},
	{Path: "github.com/go-json-experiment/json", Why: "strict JSON: duplicates, exact names, offsets"},
	{Path: "github.com/gofrs/flock", Why: "file locks between processes on one data folder"},
	{Path: "github.com/google/uuid", Why: "request and audit ids that others can read"},
	{Path: "github.com/jackc/pgx/v5", Why: "PostgreSQL driver, with pipelines and COPY"},
	{Path: "github.com/moov-io/iso8583", Why: "packs and unpacks the fields of card messages"},
	{Path: "github.com/nyaruka/phonenumbers", Why: "phone numbers: the numbering plan is not ours to keep"},
	{Path: "github.com/oklog/ulid/v2", Why: "ids that sort by time"},
	{Path: "github.com/piglig/go-qr", Why: "QR codes of payment links: the standard's tables and masks"},
	{Path: "github.com/pressly/goose/v3", Why: "migrations, with a lock between processes"},
	{Path: "github.com/prometheus/client_golang", Why: "metrics in the format that everybody reads"},
	{Path: "github.com/spf13/cobra", Why: "command line: help, completion and errors as people expect"},
	{Path: "github.com/spf13/pflag", Why: "the flags beneath cobra, named where a set of them is passed on"},
	{Path: "github.com/tink-crypto/tink-go/v2", Why: "sealing at rest with key rotation"},
	{Path: "go.yaml.in/yaml/v3", Why: "the configuration file"},
	{Path: "golang.org/x/time", Why: "token bucket for the rate limit of a key"},
	{Path: "modernc.org/sqlite", Why: "SQLite in Go for goose, which needs database/sql"},
	{Path: "zombiezen.com/go/sqlite", Why: "the same SQLite at its own interface: statements, backup, status"},

	{Path: "github.com/anishathalye/porcupine", Proofs: true, Why: "linearizability of recorded histories"},
	{Path: "github.com/chromedp/cdproto", Proofs: true, Why: "the words of that protocol"},
	{Path: "github.com/chromedp/chromedp", Proofs: true, Why: "a real browser, driven by its own protocol"},
	{Path: "github.com/getkin/kin-openapi", Proofs: true, Why: "answers checked against api/openapi.yaml"},
	{Path: "github.com/google/go-cmp", Proofs: true, Why: "differences of records that a person can read"},
	{Path: "github.com/standard-webhooks/standard-webhooks/libraries", Proofs: true,
		Why: "signatures judged by the library of those who wrote the standard"},
	{Path: "golang.org/x/net", Proofs: true, Why: "reads HTML as browsers do, to check pages by structure"},
	{Path: "golang.org/x/sys", Why: "fdatasync for SQLite's log; in bench, what a process used of the machine"},
	{Path: "modernc.org/libc", Why: "the memory of the embedded SQLite, for the file system under its log"},
	{Path: "pgregory.net/rapid", Proofs: true, Why: "properties over made-up input, shrunk when they fail"},
}

// papers must exist: the ones a newcomer looks for.
var papers = []string{
	"README.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "Makefile", "api/openapi.yaml",
	"docs/architecture.md", "docs/card-data.md", "docs/errors.md", "docs/glossary.md",
	"docs/ledger.md", "docs/operating.md",
	"docs/style.md", "docs/webhooks.md",
}

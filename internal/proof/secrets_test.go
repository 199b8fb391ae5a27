package proof_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"plexy/internal/pgtest"
)

// TestSecrets makes payments, good ones and bad ones, and then looks for phones, IINs and API keys in
// everything that the program leaves behind: logs, metrics, error texts, pages, the database (rule T19).
func TestSecrets(t *testing.T) {
	for _, engine := range []string{onSQLite, onPostgres} {
		t.Run(engine, func(t *testing.T) {
			s, straw := remains(t, engine, func(s *site) map[string][]byte { return secretsLeft(t, s) })
			search(t, s, straw)
		})
	}
}

// remains lets work be done on a new site of an engine, and adds what its database leaves behind to what work
// returns.
func remains(
	t *testing.T, engine string, work func(*site) map[string][]byte,
) (*site, map[string][]byte) {
	t.Helper()
	if engine == onSQLite {
		s := newSite(t, onSQLite)
		straw := work(s)
		straw["files"] = files(t, s.data)
		copied := filepath.Join(t.TempDir(), "copy")
		if out, err := s.plexy("backup", copied); err != nil {
			t.Fatalf("%v %s", err, out)
		}
		straw["backup"] = files(t, filepath.Dir(copied))
		return s, straw
	}
	cluster := pgtest.Server(t)
	database := cluster.Database(t)
	loggingAll(t, database)
	s := newSiteAt(t, t.TempDir(), database)
	straw := work(s)
	straw["tables"] = tables(t, s.database)
	straw["log of PostgreSQL"] = []byte(cluster.Log())
	execSQL(t, s.database, "checkpoint") // its pages are written
	straw["pages and write-ahead log"] = files(t, cluster.Folder())
	return s, straw
}

// secretsLeft works with the site and returns what it leaves behind, apart from the database.
func secretsLeft(t *testing.T, s *site) map[string][]byte {
	t.Helper()
	v, metrics := s.addServer(), freeAddress(s)
	v.args = append(v.args, "--metrics-listen", metrics)
	if _, err := v.start(); err != nil {
		t.Fatal(err)
	}
	sh := openShop(s, 8)
	stop := sh.work()
	goal := int64(volume(t, 2000))
	sh.await(t, "enough payments", func() bool { return sh.client.decided.Load() > goal })
	stop()
	c := sh.client
	var said bytes.Buffer
	for _, r := range append(indiscretions(s, sh.payers[0], s.person()), strayCards(sh.payers[0])...) {
		a := c.do(r)
		fmt.Fprintln(&said, a, a.header)
	}
	said.Write(commands(s, sh.payers))
	response, err := http.Get("http://" + metrics + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	page, err := io.ReadAll(response.Body)
	if err != nil || !bytes.Contains(page, []byte("plexy_")) {
		t.Fatalf("the metrics: %v %s", err, page)
	}
	return map[string][]byte{
		"answers and errors": said.Bytes(), "metrics": page,
		"pages of a wallet's owner": pagesOf(t, sh, sh.payers[0]),
		"log":                       []byte(v.log()),
	}
}

// straySites is how many places strayCards puts a card number in.
const straySites = 7

// strayCards are requests that carry a card number, another one each, to where none belongs. Not as a JSON
// number: that is an amount, and is kept as one.
func strayCards(p payer) []request {
	order := func(reference string) request { return authorize(p, 100, reference) }
	inFours := cardAt(1)[:4] + " " + cardAt(1)[4:8] + " " + cardAt(1)[8:12] + " " + cardAt(1)[12:]
	with := order("CARD").withKey(newKey())
	inName, cut := with, with
	inName.body = strings.Replace(with.body, "{", `{"`+cardAt(2)+`":{"a":1},`, 1)
	cut.body = with.body[:len(with.body)-1] + `,"pan":"` + cardAt(3)
	return []request{
		order(cardAt(0)), order("paid with " + inFours), inName, cut, order("CARD").withKey(cardAt(4)),
		{method: http.MethodGet, path: "/v1/wallet/transactions?orderReference=" + cardAt(5)},
		{method: http.MethodGet, path: "/v1/wallet/transaction/" + cardAt(6)},
	}
}

// indiscretions are requests that carry personal data to where none belongs, and are refused.
func indiscretions(s *site, known, unknown payer) []request {
	good := authorize(known, 100, "INDISCREET")
	with := func(change func(*request)) request {
		r := good.withKey(newKey())
		change(&r)
		return r
	}
	get := func(path string) request { return request{method: http.MethodGet, path: path} }
	return []request{
		authorize(unknown, 100, "UNKNOWN"),
		authorize(payer{known.phone, unknown.iin}, 100, "MISMATCH"),
		authorize(payer{known.phone, known.iin[:11] + "x"}, 100, "BAD-IIN"),
		authorize(payer{known.phone + "123456789", known.iin}, 100, "BAD-PHONE"),
		with(func(r *request) { r.body = r.body[:len(r.body)-1] }),
		with(func(r *request) { r.body += r.body }),
		with(func(r *request) { r.body = strings.Replace(r.body, `"KZT"`, strconv.Quote(known.iin), 1) }),
		with(func(r *request) { r.body = strings.Replace(r.body, `100`, strconv.Quote(known.phone), 1) }),
		with(func(r *request) { r.body = `{"` + known.iin + `":1,"` + known.iin + `":2}` }),
		with(func(r *request) { r.method = "PUT" }),
		with(func(r *request) { r.apiKey = s.merchant.Key + "0" }),
		with(func(r *request) { r.apiKey = "Basic " + s.merchant.Key }),
		get("/v1/wallet/transaction/" + known.iin),
		get("/v1/" + known.phone + "/" + s.merchant.Key),
		get("/v1/wallet/transactions/?iin=" + known.iin + "&phoneNumber=" + known.phone),
		get("/v1/wallet/transactions/?cursor=" + known.iin + "&limit=" + known.phone),
		get("/healthz?key=" + s.merchant.Key),
		operate("capture", known.iin, 1), operate("refund", "wt_"+known.phone, 1),
	}
}

// commands runs commands about people, right and wrong, and returns what they print.
func commands(s *site, payers []payer) []byte {
	var said bytes.Buffer
	say := func(arguments ...string) {
		out, err := s.plexy(arguments...)
		said.Write(out)
		if err != nil {
			// Its beginning repeats our own arguments.
			_, text, _ := strings.Cut(err.Error(), "exit status")
			said.WriteString(text)
		}
	}
	who := func(p payer) []string { return []string{"--phone", p.phone, "--iin", p.iin, "--currency", "KZT"} }
	stranger, mixed := s.person(), payer{payers[0].phone, payers[1].iin}
	for _, p := range []payer{payers[0], stranger, mixed, {payers[0].phone + "1", payers[0].iin}} {
		for _, verb := range []string{"show", "statement"} {
			say(append([]string{"wallet", verb}, who(p)...)...)
		}
		say(append([]string{"wallet", "withdraw", "--amount", "999999999999", "--reason", "test"}, who(p)...)...)
		say(append([]string{"wallet", "block", "--reason", "test"}, who(p)...)...)
	}
	say("merchant", "list")
	say("merchant", "show", s.merchant.ID)
	say("key", "list", "--merchant", s.merchant.ID)
	say("config", "print")
	say("verify")
	return said.Bytes()
}

// search looks for every spelling of every secret.
func search(t *testing.T, s *site, straw map[string][]byte) {
	t.Helper()
	var n needles
	for i := range s.people {
		p := personAt(i)
		national := strings.TrimPrefix(p.phone, "+7")
		n.text(fmt.Sprint("IIN ", i), p.iin)
		n.text(fmt.Sprint("phone ", i), national)
		n.number(fmt.Sprint("IIN ", i), p.iin)
		n.number(fmt.Sprint("phone ", i), "7"+national)
	}
	for i := range straySites {
		n.card(fmt.Sprint("card ", i), cardAt(i))
	}
	secret := strings.TrimPrefix(s.merchant.Key, "pr_")
	n.text("API key", secret)
	raw, err := hex.DecodeString(secret)
	if err != nil {
		t.Fatalf("an API key is not pr_ and hex: %v", err)
	}
	n.add("API key, raw", raw)
	n.absent(t, straw)
	noCards(t, "log", straw["log"])
	noCards(t, "answers and errors", straw["answers and errors"])
}

// files returns everything in a folder but the master key: the database, its log, whatever else.
func files(t *testing.T, folder string) []byte {
	t.Helper()
	var all []byte
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || entry.Name() == "master.key" {
			return err
		}
		content, err := os.ReadFile(path)
		all = append(all, content...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// loggingAll makes a PostgreSQL write every statement of a database to its log, with its parameters, as an
// operator may who looks for slow ones.
func loggingAll(t *testing.T, database string) {
	t.Helper()
	config, err := pgx.ParseConfig(database)
	if err != nil {
		t.Fatal(err)
	}
	name := pgx.Identifier{config.Database}.Sanitize()
	execSQL(t, database, "alter database "+name+" set log_min_duration_statement = 0")
}

func execSQL(t *testing.T, database, sql string) {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), database)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(context.Background(), sql); err != nil {
		t.Fatal(err)
	}
}

// tables returns every row of every table, in PostgreSQL's binary form, which escapes nothing.
func tables(t *testing.T, database string) []byte {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, database)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	rows, err := conn.Query(ctx, `select format('%I.%I', schemaname, tablename) from pg_tables
		where schemaname not in ('pg_catalog', 'information_schema')`)
	if err != nil {
		t.Fatal(err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(names) < 5 {
		t.Fatalf("the tables are %v: %v", names, err)
	}
	var all bytes.Buffer
	for _, name := range names {
		if _, err := conn.PgConn().CopyTo(ctx, &all, "copy "+name+" to stdout (format binary)"); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	return all.Bytes()
}

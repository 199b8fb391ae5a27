package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"strings"

	"plexy/internal/config"
)

// Verdict is what the doctor says of one thing.
type Verdict string

// The verdicts. Advice does not make an installation unsafe: it names what a program cannot see.
const (
	Safe   Verdict = "safe"
	Unsafe Verdict = "unsafe"
	Advice Verdict = "advice"
)

// Check is one thing that the doctor looked at.
type Check struct {
	Name    string  `json:"name"`
	Verdict Verdict `json:"verdict"`
	Found   string  `json:"found"`
	Remedy  string  `json:"remedy,omitempty"` // what to do, unless it is safe
}

// Diagnosis is all that the doctor looked at, in the order of the page on operating.
type Diagnosis struct {
	Safe   bool    `json:"safe"` // nothing is unsafe
	Checks []Check `json:"checks"`
}

// Exam says what the doctor cannot find out.
type Exam struct {
	// TLSInFront: something before the server speaks TLS, and nothing else can reach it.
	TLSInFront bool
}

// doctor collects checks about one installation.
type doctor struct {
	app    *App
	cfg    config.Config
	exam   Exam
	checks []Check
}

// Diagnose names what is unsafe about the installation as this process would serve it. It changes nothing.
func (a *App) Diagnose(ctx context.Context, exam Exam) (Diagnosis, error) {
	d := doctor{app: a, cfg: a.Config, exam: exam}
	d.environment()
	d.hooks()
	d.masterKey()
	d.files()
	d.addresses()
	d.rate()
	d.payments()
	if err := d.database(ctx); err != nil {
		return Diagnosis{}, err
	}
	d.process()
	result := Diagnosis{Safe: true, Checks: d.checks}
	for _, c := range d.checks {
		result.Safe = result.Safe && c.Verdict != Unsafe
	}
	return result, nil
}

// judge adds a check; remedy is dropped when all is well.
func (d *doctor) judge(name string, ok bool, found, remedy string) {
	c := Check{Name: name, Verdict: Safe, Found: found}
	if !ok {
		c.Verdict, c.Remedy = Unsafe, remedy
	}
	d.checks = append(d.checks, c)
}

func (d *doctor) advise(name, found, remedy string) {
	d.checks = append(d.checks, Check{Name: name, Verdict: Advice, Found: found, Remedy: remedy})
}

func (d *doctor) environment() {
	kind := d.app.environment
	d.judge("environment", kind == config.Production, "the installation is "+kind,
		"real money needs an installation made with --environment production: a sandbox moves its clock and "+
			"fails on demand for whoever has an API key")
}

func (d *doctor) hooks() {
	found := "no hook of the tests is set"
	if d.cfg.Test != (config.Hooks{}) {
		found = "PLEXY_TEST_FAILPOINT or PLEXY_TEST_CLOCK_SKEW is set"
	}
	d.judge("test_hooks", d.cfg.Test == (config.Hooks{}), found, "unset every PLEXY_TEST_ variable")
}

func (d *doctor) masterKey() {
	found, remedy := "it was made by a generator", ""
	if d.app.master.Guessable() {
		found, remedy = "it looks like an example", "make a new installation with a key that nobody can guess"
	}
	d.judge("master_key", remedy == "", found, remedy)
	if d.cfg.MasterKey == "" {
		d.private("master_key_file", d.cfg.MasterKeyFile, "chmod 600 ")
	}
}

func (d *doctor) files() {
	if d.cfg.File != "" {
		d.private("config_file", d.cfg.File, "it may hold the master key or a password: chmod 600 ")
	}
	path, ok := d.cfg.SQLitePath()
	if !ok {
		return
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if _, err := os.Stat(path + suffix); suffix == "" || err == nil {
			d.private("database_file"+suffix, path+suffix, "chmod 600 ")
		}
	}
}

// private checks that nobody but its owner can read or write a file.
func (d *doctor) private(name, path, remedy string) {
	info, err := os.Stat(path)
	if err != nil {
		reason := "it cannot be looked at"
		if errors.Is(err, fs.ErrNotExist) {
			reason = "it is not there"
		}
		d.judge(name, false, path+": "+reason, "give this command the settings of the server")
		return
	}
	mode := info.Mode().Perm()
	d.judge(name, mode&0o077 == 0, fmt.Sprintf("%s has mode %04o", path, mode), remedy+path)
}

func (d *doctor) addresses() {
	switch place := reach(d.cfg.Listen); {
	case place == loopback:
		d.judge("listen", true, d.cfg.Listen+" is this machine only", "")
	case d.exam.TLSInFront:
		d.judge("listen", true, d.cfg.Listen+", and you say that TLS is in front of it", "")
	default:
		d.judge("listen", false, d.cfg.Listen+" takes requests of other machines in clear text",
			"API keys travel in a header: put a TLS proxy before it and listen on 127.0.0.1; if nothing but the "+
				"proxy can reach the address, say --tls-in-front")
	}
	if d.cfg.MetricsListen == "" {
		d.judge("metrics_listen", true, "off", "")
		return
	}
	d.judge("metrics_listen", reach(d.cfg.MetricsListen) != world, d.cfg.MetricsListen,
		"the metrics tell volumes and errors to whoever asks: give it an address of a private network")
}

// Where an address can be reached from.
const (
	loopback = iota
	private
	world
)

// reach tells from where a HOST:PORT can be reached. A name that is not localhost may be anywhere.
func reach(address string) int {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return world
	}
	if host == "localhost" {
		return loopback
	}
	switch ip := net.ParseIP(host); {
	case ip == nil || ip.IsUnspecified():
		return world
	case ip.IsLoopback():
		return loopback
	case ip.IsPrivate(), ip.IsLinkLocalUnicast():
		return private
	}
	return world
}

func (d *doctor) rate() {
	found := fmt.Sprintf("%d requests a second per API key", d.cfg.RateLimit)
	if d.cfg.RateLimit == 0 {
		found = "off"
	}
	d.judge("rate_limit", d.cfg.RateLimit > 0, found, "one merchant can take all of the server: set rate_limit")
}

func (d *doctor) database(ctx context.Context) error {
	if _, ok := d.cfg.SQLitePath(); ok {
		d.advise("backup", "a program cannot see whether you keep backups",
			"run plexy backup from time to time, and plexy verify on what you restored from one")
		return nil
	}
	d.judge("database_password", !knownPassword(d.cfg.Database), d.cfg.SafeDatabase(),
		"the password is one that everybody knows: change it")
	d.transport()
	keeper, ok := d.app.Storage.(interface {
		ServerSettings(ctx context.Context, names ...string) (map[string]string, error)
	})
	if !ok {
		return nil
	}
	is, err := keeper.ServerSettings(ctx, "fsync", "full_page_writes", "synchronous_commit", "is_superuser",
		"archive_mode", "synchronous_standby_names", "data_checksums")
	if err != nil {
		return err
	}
	on := func(name, remedy string) { d.judge("postgres_"+name, is[name] == "on", is[name], remedy) }
	on("fsync", "a power cut loses acknowledged money: fsync = on")
	on("full_page_writes", "a power cut tears pages that nothing can mend: full_page_writes = on")
	commit := is["synchronous_commit"]
	d.judge("postgres_synchronous_commit", commit == "on" || commit == "remote_apply", commit,
		"a crash loses acknowledged money: synchronous_commit = on")
	d.judge("postgres_role", is["is_superuser"] == "off", "superuser: "+is["is_superuser"],
		"give Plexy a role of its own that owns its database and nothing else")
	if is["data_checksums"] != "on" {
		d.advise("postgres_data_checksums", is["data_checksums"],
			"with them a disk that lies is found out: pg_checksums --enable")
	}
	d.backups(is["archive_mode"], is["synchronous_standby_names"])
	return nil
}

func (d *doctor) backups(archive, standbys string) {
	found := "archive_mode is " + archive
	if standbys != "" {
		found += ", with a synchronous standby"
	}
	if archive == "off" && standbys == "" {
		found += ", without a synchronous standby"
	}
	d.advise("backup", found, "keep a standby or archive the write-ahead log, take pg_dump from time to time, "+
		"and run plexy verify on what you restored from one")
}

// transport checks that a database on another machine is spoken to in cipher, and that it is the right one.
func (d *doctor) transport() {
	u, err := url.Parse(d.cfg.Database)
	if err != nil {
		d.judge("database_transport", false, "the address cannot be read", "write it as postgres://user@host/name")
		return
	}
	host, mode := u.Hostname(), u.Query().Get("sslmode")
	if asked := u.Query().Get("host"); asked != "" {
		host = asked
	}
	if host == "" || strings.HasPrefix(host, "/") || reach(net.JoinHostPort(host, "0")) == loopback {
		d.judge("database_transport", true, "the database is on this machine", "")
		return
	}
	if mode == "" {
		mode = "not given"
	}
	d.judge("database_transport", mode == "verify-full" || mode == "verify-ca", "sslmode is "+mode,
		"whoever sits between can read and change everything: sslmode=verify-full with sslrootcert")
}

func (d *doctor) process() {
	if os.Geteuid() == 0 {
		d.advise("user", "this command runs as root",
			"run the server as a user of its own, to whom the files belong")
	}
}

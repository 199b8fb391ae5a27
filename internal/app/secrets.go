package app

import (
	"net/url"
	"slices"
	"strings"

	"plexy/internal/config"
)

// knownPasswords are passwords of examples, images and tutorials: whoever looks for databases tries them
// first.
var knownPasswords = []string{
	"password", "passwd", "pass", "secret", "plexy", "postgres", "postgresql", "admin", "root", "test",
	"example", "changeme", "change-me", "change_me", "mysecretpassword", "123456", "12345678", "qwerty",
	"letmein", "guest",
}

// knownPassword reports whether the database's password is one that everybody knows, or its user's name.
func knownPassword(database string) bool {
	u, err := url.Parse(database)
	if err != nil || !strings.HasPrefix(database, "postgres") {
		return false
	}
	password, given := u.User.Password()
	if !given {
		password = u.Query().Get("password")
	}
	return password != "" &&
		(slices.Contains(knownPasswords, strings.ToLower(password)) || password == u.User.Username())
}

// refuseDefaults keeps production from starting with a secret that is none, or with a hook of the tests.
func refuseDefaults(cfg config.Config) error {
	if cfg.Environment != config.Production {
		return nil
	}
	if cfg.Test != (config.Hooks{}) {
		return usage("production does not start with hooks of the tests (PLEXY_TEST_FAILPOINT, " +
			"PLEXY_TEST_CLOCK_SKEW)")
	}
	if knownPassword(cfg.Database) {
		return usage("the password of the database is one that everybody knows; production needs one of its own")
	}
	master, err := readMaster(cfg)
	if err == nil && master.Guessable() {
		return usage("the master key (%s) looks like an example; production needs one that nobody can guess: "+
			"start without one on an empty database, and it is made", masterSource(cfg))
	}
	return nil // a key that is missing or malformed is reported where it is needed
}

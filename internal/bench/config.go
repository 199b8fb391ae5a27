package bench

import (
	"errors"
	"io"
	"time"
)

// ErrMissed is returned when every row was measured and at least one figure missed its bound.
var ErrMissed = errors.New("a bound was missed")

// Config is what one run of the bench does. Standard and Quick give the two that are used.
type Config struct {
	Binary      string        // the shipped plexy, as its users run it
	WorkDir     string        // an existing directory for databases and logs, on the disk to be measured
	PostgresURL string        // postgres://… of a role that may create databases
	Rounds      int           // how often echo and servers alternate
	WarmUp      time.Duration // before each window
	Window      time.Duration // of each row in each round
	Connections int
	Wallets     int
	Shoppers    int       // customers with a stored card: at most Wallets
	Stored      int64     // transactions in the large databases
	Judge       bool      // whether a missed bound is an error
	Out         io.Writer // the table
	Progress    io.Writer // what is being done now
}

// Standard is the run whose bounds count: the shape and the five rounds of `make bench`. It takes about
// twenty minutes.
func Standard() Config {
	return Config{
		Rounds: 5, WarmUp: 3 * time.Second, Window: 3 * time.Second,
		Connections: 64, Wallets: 10_000, Shoppers: 1000, Stored: 1_000_000, Judge: true,
	}
}

// Quick is the same with a small database and windows too short to judge: it shows that every row runs.
func Quick() Config {
	return Config{
		Rounds: 1, WarmUp: 200 * time.Millisecond, Window: 500 * time.Millisecond,
		Connections: 16, Wallets: 200, Shoppers: 40, Stored: 5_000,
	}
}

// Command pgrun runs another command with a PostgreSQL for its tests.
//
//	pgrun COMMAND [ARGUMENT…]
//
// Where PLEXY_TEST_POSTGRES is set already the command simply runs with it. Otherwise one server is started
// for the whole command, however many packages it tests, and ended with it. The exit code is the command's.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"plexy/internal/pgtest"
)

func main() {
	code, err := run(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "pgrun:", err)
	}
	os.Exit(code)
}

func run(args []string) (int, error) {
	if len(args) == 0 {
		return 2, errors.New("name the command to run")
	}
	if os.Getenv(pgtest.EnvURL) != "" {
		return command(args)
	}
	cluster, err := pgtest.Start(context.Background())
	if err != nil {
		// Each test decides what that means for it: failed in CI, skipped with the reason elsewhere.
		fmt.Fprintln(os.Stderr, "pgrun: going on without PostgreSQL:", err)
		return command(args)
	}
	if err := os.Setenv(pgtest.EnvURL, cluster.URL()); err != nil {
		return 1, errors.Join(err, cluster.Close())
	}
	code, err := command(args)
	return code, errors.Join(err, cluster.Close())
}

func command(args []string) (int, error) {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	if err := cmd.Start(); err != nil {
		return 1, err
	}
	go forward(cmd.Process, signals)
	if err := cmd.Wait(); err != nil {
		return max(1, cmd.ProcessState.ExitCode()), nil
	}
	return 0, nil
}

// forward passes on what asks us to end, so that the command ends first and the server after it.
func forward(p *os.Process, signals <-chan os.Signal) {
	for s := range signals {
		_ = p.Signal(s) // it may just have ended
	}
}

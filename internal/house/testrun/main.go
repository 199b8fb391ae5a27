// Command testrun runs `go test` in one or more passes and adds up what happened.
//
//	testrun NAME ARGUMENT… [-- NAME ARGUMENT…]…
//
// Each group is one pass: a name for the reader and the arguments of `go test`. A pass prints a line per
// package, the whole output of what failed and the reason of every skip. The last line of the last pass is
// the total over all of them, `N passed, N failed, N skipped`, subtests included. The exit code is 1 when
// anything failed or nothing ran, and 2 when the arguments make no sense.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
)

// A pass is one run of `go test`.
type pass struct {
	name string
	args []string
}

func main() {
	passes, err := parse(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "testrun:", err)
		os.Exit(2)
	}
	var sum total
	for _, p := range passes {
		fmt.Printf("\n=== pass %s: go test %v\n", p.name, p.args)
		if err := p.run(&sum, os.Stdout); err != nil {
			fmt.Printf("pass %s: %v\n", p.name, err)
		}
	}
	fmt.Printf("\n%d passed, %d failed, %d skipped\n", sum.passed, sum.failed, sum.skipped)
	if sum.failed > 0 || sum.passed == 0 {
		os.Exit(1)
	}
}

func parse(args []string) ([]pass, error) {
	var passes []pass
	var p pass
	for _, a := range append(args, "--") {
		switch {
		case a != "--" && p.name == "":
			p.name = a
		case a != "--":
			p.args = append(p.args, a)
		case len(p.args) == 0:
			return nil, errors.New("a pass needs a name and the arguments of go test")
		default:
			passes, p = append(passes, p), pass{}
		}
	}
	return passes, nil
}

// run adds the pass's results to sum. An error that no test accounts for counts as one failure.
func (p pass) run(sum *total, out io.Writer) error {
	cmd := exec.Command("go", append([]string{"test", "-json"}, p.args...)...)
	cmd.Stderr = os.Stderr
	events, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(signals)
	if err := cmd.Start(); err != nil {
		sum.failed++
		return err
	}
	go func() {
		for s := range signals {
			_ = cmd.Process.Signal(s) // it may just have ended
		}
	}()
	before := sum.failed
	r := newReader(sum, out)
	r.read(events)
	err = cmd.Wait()
	if err != nil && sum.failed == before {
		sum.failed++
		return fmt.Errorf("go test: %w", err)
	}
	r.slowest()
	return nil
}

package pgtest

import (
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
)

// leashScript waits for the end of its standard input, then ends the server and removes its folder.
//
// The other end of that pipe is held by the test process and by nobody else, so it closes when the
// process ends in any way: return, os.Exit, panic, time-out, SIGKILL. No clean-up in Go has that reach.
const leashScript = `trap '' INT TERM HUP QUIT
while read -r _; do :; done
pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null)
if [ -n "$pid" ] && { [ ! -d /proc/self ] || grep -qs postgres "/proc/$pid/comm"; }; then
	kill -QUIT "$pid" 2>/dev/null
	n=0
	while kill -0 "$pid" 2>/dev/null && [ "$n" -lt 200 ]; do sleep 0.05; n=$((n + 1)); done
fi
rm -rf "$1"
`

// held keeps every leash reachable: the collector closes a pipe that nobody can reach, and a server whose
// Cluster went out of use while its database is in use would end in the middle of a test.
var held sync.Map

// leash ties a server's folder to the life of this process.
type leash struct {
	hold *os.File
	cmd  *exec.Cmd
}

func newLeash(dir string) (*leash, error) {
	r, w, err := os.Pipe() // both ends are closed on exec, so no child of ours keeps w open
	if err != nil {
		return nil, fmt.Errorf("tie the server to this process: %w", err)
	}
	defer r.Close()
	cmd := exec.Command("/bin/sh", "-c", leashScript, "leash", dir)
	cmd.Stdin = r
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		w.Close()
		return nil, fmt.Errorf("tie the server to this process: %w", err)
	}
	l := &leash{hold: w, cmd: cmd}
	held.Store(l, dir)
	return l, nil
}

// release lets go and waits until server and folder are gone.
func (l *leash) release() error {
	held.Delete(l)
	if err := l.hold.Close(); err != nil {
		return err
	}
	return l.cmd.Wait()
}

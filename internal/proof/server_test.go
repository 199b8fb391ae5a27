package proof_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

const (
	// Ports below those that the kernel gives to outgoing connections, or a client could sit on ours
	// while the server is down; and below those of the PostgreSQL servers of the tests.
	firstPort, endPort = 8200, 15400

	readyLimit = time.Minute // before we give up; the promise is checked where it is made
	stopLimit  = 30 * time.Second
	pollEvery  = 5 * time.Millisecond
)

// portTurn makes servers of one test process try different ports.
var portTurn atomic.Int64

// server is one process of the program, on an address that it keeps over restarts.
type server struct {
	site    *site
	address string
	args    []string
	env     []string // for the next start
	logPath string

	mu   sync.Mutex
	cmd  *exec.Cmd     // nil while it is down
	gone chan struct{} // closed when cmd has ended
	exit error         // how it ended; valid once gone is closed
}

// serve adds a server with the given environment (NAME=VALUE) to the site and waits until it is ready.
func (s *site) serve(environment ...string) *server {
	s.Helper()
	v := s.addServer(environment...)
	if _, err := v.start(); err != nil {
		s.Fatal(err)
	}
	return v
}

// addServer adds a server to the site without starting it. Each has a folder of its own, and the master
// key of the site; the first has the site's folder, as `plexy serve` with its defaults would.
func (s *site) addServer(environment ...string) *server {
	s.Helper()
	data := s.data
	if len(s.servers) > 0 {
		data = s.TempDir()
	}
	address := freeAddress(s)
	v := &server{
		site: s, address: address, logPath: filepath.Join(s.TempDir(), "log"),
		args: []string{"serve", "--listen", address, "--data", data, "--database", s.database},
		env: append([]string{
			"PLEXY_RATE_LIMIT=0", "PLEXY_MASTER_KEY_FILE=" + filepath.Join(s.data, "master.key"),
		}, environment...),
	}
	s.servers = append(s.servers, v)
	s.Cleanup(func() {
		v.kill()
		v.checkLog()
		if s.Failed() {
			s.Logf("end of the log of %s:\n%s", v.address, v.logTail())
		}
	})
	return v
}

func freeAddress(t testing.TB) string {
	t.Helper()
	const width = endPort - firstPort
	for range width {
		turn := portTurn.Add(1)
		port := firstPort + (os.Getpid()*37+int(turn))%width
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		l, err := net.Listen("tcp", address)
		if err == nil {
			l.Close()
			return address
		}
	}
	t.Fatal("no free port on 127.0.0.1")
	return ""
}

// start launches the process and returns how long it took to be ready.
func (v *server) start() (time.Duration, error) {
	began := time.Now()
	if err := v.launch(); err != nil {
		return 0, err
	}
	err := v.ready()
	return time.Since(began), err
}

// launch starts the process and does not wait.
func (v *server) launch() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.cmd != nil {
		return errors.New("the server is already running")
	}
	log, err := os.OpenFile(v.logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("open the server's log: %w", err)
	}
	defer log.Close()
	cmd := exec.Command(serverPath(v.site), v.args...)
	cmd.Env = append(plainEnvironment(), v.env...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = leashed()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the server: %w", err)
	}
	gone := make(chan struct{})
	v.cmd, v.gone = cmd, gone
	go func() {
		err := cmd.Wait()
		v.mu.Lock()
		v.exit = err
		v.mu.Unlock()
		close(gone)
	}()
	return nil
}

// ready polls /readyz until it says yes.
func (v *server) ready() error {
	ctx, cancel := context.WithTimeout(context.Background(), readyLimit)
	defer cancel()
	ask := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+v.address+"/readyz", nil)
		if err != nil {
			return fmt.Errorf("ask whether the server is ready: %w", err)
		}
		if response, err := ask.Do(request); err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-v.ended():
			return fmt.Errorf("the server ended before it was ready: %w\n%s", v.exitError(), v.logTail())
		case <-ctx.Done():
			// SIGQUIT makes it write down what it is waiting for.
			err := v.end(syscall.SIGQUIT)
			return fmt.Errorf("the server was not ready within %v: %w\n%s", readyLimit, err, v.logTail())
		case <-time.After(pollEvery):
		}
	}
}

// ended returns a channel that is closed when the process has ended; nil, which never is, before any start.
func (v *server) ended() <-chan struct{} {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.gone
}

func (v *server) exitError() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.exit
}

// signal sends a signal to the running process.
func (v *server) signal(what syscall.Signal) {
	v.site.Helper()
	if err := syscall.Kill(v.pid(), what); err != nil {
		v.site.Errorf("send %v to %s: %v", what, v.address, err)
	}
}

// pid is the running process's, or 0.
func (v *server) pid() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.cmd == nil {
		return 0
	}
	return v.cmd.Process.Pid
}

// kill ends the process as a power cut would: SIGKILL. It returns when the process is gone.
func (v *server) kill() { v.end(syscall.SIGKILL) }

// stop asks the process to end (SIGTERM), waits, and returns an error unless it exits with 0 in time.
func (v *server) stop() error {
	if err := v.end(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop %s: %w\n%s", v.address, err, v.logTail())
	}
	return nil
}

func (v *server) end(signal syscall.Signal) error {
	v.mu.Lock()
	cmd, gone := v.cmd, v.gone
	v.mu.Unlock()
	if cmd == nil {
		return nil
	}
	if err := cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return v.reap(gone, stopLimit)
}

// reap waits for the end of the process and marks the server as down.
func (v *server) reap(gone <-chan struct{}, limit time.Duration) error {
	var late error
	select {
	case <-gone:
	case <-time.After(limit):
		late = fmt.Errorf("the server did not end within %v", limit)
		v.mu.Lock()
		v.cmd.Process.Kill()
		v.mu.Unlock()
		<-gone
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.cmd = nil
	return errors.Join(late, v.exit)
}

// waitEnd waits until the process has ended by itself.
func (v *server) waitEnd(limit time.Duration) error {
	select {
	case <-v.ended():
	case <-time.After(limit):
		return fmt.Errorf("the server still runs after %v", limit)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.cmd = nil
	return nil
}

// setEnv replaces or removes (value "") one variable for the next start.
func (v *server) setEnv(name, value string) {
	v.env = slices.DeleteFunc(v.env, func(line string) bool { return strings.HasPrefix(line, name+"=") })
	if value != "" {
		v.env = append(v.env, name+"="+value)
	}
}

func (v *server) log() string {
	text, err := os.ReadFile(v.logPath)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// checkLog looks for what no server may ever write, whatever happens to it.
func (v *server) checkLog() {
	v.site.Helper()
	log := v.log()
	for _, never := range []string{
		"WARNING: DATA RACE", "a handler panicked", "fatal error:", "assertion", "goroutine 1 [",
		"the books do not balance",
	} {
		if at := strings.Index(log, never); at >= 0 {
			v.site.Errorf("the log of %s has %q:\n%s", v.address, never, log[max(0, at-200):min(len(log), at+4000)])
		}
	}
}

// logTail is the end of the log, without most of the lines about requests that went well.
func (v *server) logTail() string {
	lines := strings.Split(strings.TrimSpace(v.log()), "\n")
	var kept []string
	for i, line := range lines {
		if i >= len(lines)-5 || !strings.Contains(line, `"msg":"request"`) || !strings.Contains(line, `"INFO"`) {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept[max(0, len(kept)-200):], "\n")
}

package pgtest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// Ports from 32768 on are handed out by the kernel to outgoing connections, so a port of ours up there
	// could be taken by somebody's client between two lives of the server.
	firstPort, endPort = 15432, 32768

	readyLimit = time.Minute
	stopLimit  = time.Minute
)

// settings are a production server's where durability is concerned, and sized for a small machine.
var settings = []string{
	"listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=on", "synchronous_commit=on",
	"full_page_writes=on", "max_connections=200", "shared_buffers=256MB", "max_wal_size=4GB", "min_wal_size=1GB",
	"wal_compression=on", "log_timezone=UTC", "timezone=UTC", "lc_messages=C",
}

// Cluster is one PostgreSQL server with a data folder and a port of its own on 127.0.0.1.
//
// Its methods may be called from several goroutines; address and databases stay the same over restarts.
type Cluster struct {
	bin, dir string
	port     int
	who      *syscall.Credential
	leash    *leash

	mu   sync.Mutex
	cmd  *exec.Cmd     // nil while the server is down
	gone chan struct{} // closed when cmd has ended
}

// Start makes an empty server and returns when it accepts connections.
//
// It installs PostgreSQL where the machine has none and we are root. The caller ends it with Close; it
// ends by itself, folder included, when this process does.
func Start(ctx context.Context) (*Cluster, error) {
	bin, err := binaries(ctx)
	if err != nil {
		return nil, err
	}
	who, err := unprivileged()
	if err != nil {
		return nil, err
	}
	dir, err := folder(who)
	if err != nil {
		return nil, fmt.Errorf("make the server's folder: %w", err)
	}
	c := &Cluster{bin: bin, dir: dir, who: who}
	if c.leash, err = newLeash(dir); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if err := c.initialise(ctx); err != nil {
		return nil, errors.Join(err, c.leash.release())
	}
	if err := c.firstStart(ctx); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

func (c *Cluster) initialise(ctx context.Context) error {
	cmd := c.command(ctx, "initdb", "--pgdata="+c.data(), "--username=postgres", "--auth=trust",
		"--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, tail(out))
	}
	return nil
}

// firstStart looks for a port: one that was free a moment ago may be taken when the server binds it.
func (c *Cluster) firstStart(ctx context.Context) error {
	var err error
	for try := range 20 {
		if c.port, err = freePort(os.Getpid()*31 + try*97); err != nil {
			return err
		}
		if err = c.up(ctx); err == nil || !strings.Contains(c.Log(), "could not bind") {
			return err
		}
	}
	return err
}

func freePort(from int) (int, error) {
	const width = endPort - firstPort
	for i := range width {
		port := firstPort + (from+i)%width
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			return port, l.Close()
		}
	}
	return 0, errors.New("no free port on 127.0.0.1")
}

func (c *Cluster) data() string { return filepath.Join(c.dir, "data") }

func (c *Cluster) logFile() string { return filepath.Join(c.dir, "log") }

// command prepares one of PostgreSQL's programs to run as the server's user, free of our PG… settings.
func (c *Cluster) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(c.bin, name), args...)
	cmd.Dir = c.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "HOME=" + c.dir, "TZ=UTC"}
	// A group of its own: an interrupt typed at the terminal reaches the test, and the test ends us.
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c.who, Setpgid: true}
	return cmd
}

// URL returns the address of the server's own database, with rights to create others.
func (c *Cluster) URL() string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", c.port)
}

// Database creates an empty database on this server, as the package's function does on the shared one.
func (c *Cluster) Database(t testing.TB) string {
	t.Helper()
	return create(t, c.URL())
}

// Folder is where the server keeps everything: pages, write-ahead log, its own log. What it has in memory
// only comes there with a checkpoint.
func (c *Cluster) Folder() string { return c.dir }

// Log returns what the server has written so far, for a test that has to explain a failure.
func (c *Cluster) Log() string {
	b, err := os.ReadFile(c.logFile())
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// Start brings a stopped or killed server up again and returns when it accepts connections.
//
// Recovery from a kill counts as part of the start. A server that is up is left alone.
func (c *Cluster) Start(ctx context.Context) error {
	deadline := time.Now().Add(readyLimit)
	for {
		err := c.up(ctx)
		if err == nil || time.Now().After(deadline) || ctx.Err() != nil {
			return err
		}
		// After a kill the old server's children may still hold its memory for a moment.
		time.Sleep(50 * time.Millisecond)
	}
}

// up starts the program once and waits until it answers or ends.
func (c *Cluster) up(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cmd != nil {
		return nil
	}
	args := []string{"-D", c.data(), "-p", strconv.Itoa(c.port)}
	for _, s := range settings {
		args = append(args, "-c", s)
	}
	log, err := os.OpenFile(c.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("open the server's log: %w", err)
	}
	defer log.Close()
	// Its life is the cluster's, not that of the caller's context.
	cmd := c.command(context.Background(), "postgres", args...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start PostgreSQL: %w", err)
	}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_ = cmd.Wait() // how it ended is in its log; that it ended is what matters here
	}()
	c.cmd, c.gone = cmd, gone
	if err := c.ready(ctx, gone); err != nil {
		return errors.Join(err, c.end(syscall.SIGQUIT))
	}
	return nil
}

func (c *Cluster) ready(ctx context.Context, gone <-chan struct{}) error {
	ctx, cancel := context.WithTimeout(ctx, readyLimit)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, c.URL())
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-gone:
			return fmt.Errorf("PostgreSQL ended at once: %s", tail([]byte(c.Log())))
		case <-ctx.Done():
			return fmt.Errorf("PostgreSQL does not answer: %w: %s", err, tail([]byte(c.Log())))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Stop ends the server in order, breaking its connections and writing a checkpoint ("fast" shutdown).
func (c *Cluster) Stop() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.end(syscall.SIGINT)
}

// Kill ends the server at once, as a power cut of the process would: no checkpoint, recovery at next start.
func (c *Cluster) Kill() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.end(syscall.SIGKILL)
}

// Restart stops the server in order and starts it again.
func (c *Cluster) Restart(ctx context.Context) error {
	if err := c.Stop(); err != nil {
		return err
	}
	return c.Start(ctx)
}

// Close ends the server and removes its folder. The cluster cannot be started again.
func (c *Cluster) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	// At once: a checkpoint would only be thrown away with the folder.
	return errors.Join(c.end(syscall.SIGQUIT), c.leash.release())
}

// end sends the signal and waits; the caller holds mu.
func (c *Cluster) end(sig syscall.Signal) error {
	if c.cmd == nil {
		return nil
	}
	cmd, gone := c.cmd, c.gone
	c.cmd, c.gone = nil, nil
	var orphans []int
	if sig == syscall.SIGKILL {
		orphans = children(cmd.Process.Pid)
	}
	if err := cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("end PostgreSQL: %w", err)
	}
	for _, pid := range orphans {
		_ = syscall.Kill(pid, sig) // it may have ended between the list and here
	}
	select {
	case <-gone:
		return nil
	case <-time.After(stopLimit):
	}
	if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill a PostgreSQL that would not end: %w", err)
	}
	<-gone
	return fmt.Errorf("PostgreSQL took longer than %v to end and was killed", stopLimit)
}

// children lists the server's own processes where the system tells; elsewhere they see the parent's death
// and end by themselves.
func children(pid int) []int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return nil
	}
	var pids []int
	for word := range strings.FieldsSeq(string(text)) {
		if n, err := strconv.Atoi(word); err == nil {
			pids = append(pids, n)
		}
	}
	return pids
}

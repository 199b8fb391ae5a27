package bench

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

const (
	// pollEvery is how often a starting server is asked whether it is ready: the accuracy of that figure.
	pollEvery    = 5 * time.Millisecond
	stopPatience = 30 * time.Second
)

// process is a server started by the bench: the shipped binary or a yardstick in it.
type process struct {
	command *exec.Cmd
	address string
	ready   time.Duration // from the start of the process to its first 200 on /readyz
	logPath string
	exited  chan struct{}
	failure error // how it ended; valid once exited is closed
}

// spawn is how to start a server: "LISTEN" among the arguments stands for the address it shall take.
type spawn struct {
	binary    string
	arguments []string
	logPath   string        // standard output and error
	patience  time.Duration // for becoming ready
	extra     []string      // environment, NAME=VALUE
}

// start runs a server on a free port of the loopback and waits until it is ready.
func start(ctx context.Context, how spawn) (*process, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	log, err := os.Create(how.logPath)
	if err != nil {
		return nil, fmt.Errorf("make the log: %w", err)
	}
	defer log.Close()
	arguments := make([]string, len(how.arguments))
	for i, argument := range how.arguments {
		arguments[i] = strings.ReplaceAll(argument, "LISTEN", address)
	}
	p := &process{address: address, logPath: how.logPath, exited: make(chan struct{})}
	p.command = exec.Command(how.binary, arguments...)
	p.command.Env = append(plainEnvironment(), how.extra...)
	p.command.Stdout, p.command.Stderr = log, log
	began := time.Now()
	if err := p.command.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", how.binary, err)
	}
	go func() {
		p.failure = p.command.Wait()
		close(p.exited)
	}()
	if err := p.await(ctx, how.patience); err != nil {
		p.kill()
		return nil, err
	}
	p.ready = time.Since(began)
	return p, nil
}

// await polls /readyz until it answers 200.
func (p *process) await(ctx context.Context, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.address+"/readyz", nil)
		if err != nil {
			return fmt.Errorf("ask whether it is ready: %w", err)
		}
		if response, err := client.Do(request); err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-p.exited:
			return fmt.Errorf("the server ended before it was ready: %w%s", p.failure, p.logTail())
		case <-ctx.Done():
			return fmt.Errorf("the server was not ready within %v: %w%s", patience, ctx.Err(), p.logTail())
		case <-tick.C:
		}
	}
}

// stop asks the server to end and waits for it; one that must be killed is an error.
func (p *process) stop() error {
	if err := p.command.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop the server: %w", err)
	}
	timer := time.NewTimer(stopPatience)
	defer timer.Stop()
	select {
	case <-p.exited:
		if p.failure != nil {
			return fmt.Errorf("the server ended badly: %w%s", p.failure, p.logTail())
		}
		return nil
	case <-timer.C:
		p.kill()
		return fmt.Errorf("the server did not end within %v", stopPatience)
	}
}

func (p *process) kill() {
	p.command.Process.Kill() // fails only when it has ended by itself
	<-p.exited
}

// logTail returns the end of the server's log for an error message.
func (p *process) logTail() string {
	content, err := os.ReadFile(p.logPath)
	if err != nil || len(content) == 0 {
		return ""
	}
	return "\n" + string(content[max(0, len(content)-1500):])
}

// Ports from 32768 on are handed out by the kernel to outgoing connections, of which the load makes many: a
// server of ours up there could find its port taken.
const firstPort, endPort = 20_000, 32_768

// freeAddress returns an address on the loopback that nobody listens on now.
func freeAddress() (string, error) {
	var err error
	for range 100 {
		var listener net.Listener
		port := firstPort + rand.IntN(endPort-firstPort)
		if listener, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			defer listener.Close()
			return listener.Addr().String(), nil
		}
	}
	return "", fmt.Errorf("find a free port: %w", err)
}

// plainEnvironment is ours without PLEXY_ settings: the binary is measured with its defaults. Names under
// PLEXY_TEST_ stay, because they belong to tests and profiling.
func plainEnvironment() []string {
	var plain []string
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "PLEXY_") || strings.HasPrefix(variable, "PLEXY_TEST_") {
			plain = append(plain, variable)
		}
	}
	return plain
}

// run executes the binary to its end and returns its standard output; standard error becomes part of the
// error.
func run(ctx context.Context, binary string, input []byte, arguments ...string) ([]byte, error) {
	command := exec.CommandContext(ctx, binary, arguments...)
	command.Env = plainEnvironment()
	command.Stdin = bytes.NewReader(input)
	var output, trouble bytes.Buffer
	command.Stdout, command.Stderr = &output, &trouble
	if err := command.Run(); err != nil {
		return nil, fmt.Errorf("%s: %w: %s", strings.Join(arguments, " "), err,
			bytes.TrimSpace(trouble.Bytes()))
	}
	return output.Bytes(), nil
}

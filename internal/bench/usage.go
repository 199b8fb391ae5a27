package bench

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"
)

// ticksPerSecond is the unit of CPU times in /proc: the kernel's USER_HZ, 100 on every Linux.
const ticksPerSecond = 100

// cpuTime returns the processor time that a process has used so far (proc_pid_stat(5), utime and stime).
func cpuTime(pid int) (time.Duration, error) {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, fmt.Errorf("read the CPU time: %w", err)
	}
	return parseStat(stat)
}

func parseStat(stat []byte) (time.Duration, error) {
	// The second field is the name in parentheses and may hold spaces.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 13 {
		return 0, errors.New("/proc/PID/stat has too few fields")
	}
	var ticks int64
	for _, field := range fields[11:13] { // fields 14 and 15, counted from the third
		n, err := strconv.ParseInt(string(field), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read the CPU time: %w", err)
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / ticksPerSecond, nil
}

// peakMemory returns the most memory, in bytes, that a process has had resident (VmHWM).
func peakMemory(pid int) (int64, error) {
	status, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return 0, fmt.Errorf("read the memory: %w", err)
	}
	return parsePeak(status)
}

func parsePeak(status []byte) (int64, error) {
	_, rest, found := bytes.Cut(status, []byte("\nVmHWM:"))
	fields := bytes.Fields(rest)
	if !found || len(fields) < 2 || string(fields[1]) != "kB" {
		return 0, errors.New("/proc/PID/status has no VmHWM")
	}
	kib, err := strconv.ParseInt(string(fields[0]), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read the memory: %w", err)
	}
	return kib << 10, nil
}

// usage is processor time spent between the opening and the end of a window.
type usage struct{ server, own time.Duration }

// cpuWatch reads processor times when a window opens and when it ends.
type cpuWatch struct {
	pid  int
	quit chan struct{}
	done chan struct{}
	used usage
	err  error
}

func watchCPU(open, end time.Time, pid int) *cpuWatch {
	c := &cpuWatch{pid: pid, quit: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(c.done)
		c.wait(open)
		var before, after usage
		if before, c.err = c.read(); c.err != nil {
			return
		}
		c.wait(end)
		if after, c.err = c.read(); c.err != nil {
			return
		}
		c.used = usage{server: after.server - before.server, own: after.own - before.own}
	}()
	return c
}

// wait returns at the moment, or at once when the phase is over earlier.
func (c *cpuWatch) wait(until time.Time) {
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-c.quit:
	}
}

func (c *cpuWatch) read() (usage, error) {
	own, err := cpuTime(os.Getpid())
	if err != nil || c.pid == 0 {
		return usage{own: own}, err
	}
	server, err := cpuTime(c.pid)
	return usage{server: server, own: own}, err
}

func (c *cpuWatch) finish() (usage, error) {
	close(c.quit)
	<-c.done
	return c.used, c.err
}

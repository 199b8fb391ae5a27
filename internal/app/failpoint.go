package app

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"

	"plexy/internal/storage/sqlite"
)

// failer reads PLEXY_TEST_FAILPOINT: point, point:n or point:n:error. At the n-th commit (from 1) that
// reaches the keeper's point the process ends itself as a power cut would, or the batch meets an error.
// It returns nil for "".
func failer(text string) (func(point string) error, error) {
	if text == "" {
		return nil, nil
	}
	parts := strings.Split(text, ":")
	n, how := int64(1), "kill"
	var err error
	if len(parts) > 1 {
		n, err = strconv.ParseInt(parts[1], 10, 64)
	}
	if len(parts) > 2 {
		how = parts[2]
	}
	if err != nil || n < 1 || len(parts) > 3 || how != "kill" && how != "error" {
		return nil, usage("PLEXY_TEST_FAILPOINT must be point, point:n or point:n:error")
	}
	if !slices.Contains(sqlite.Points(), parts[0]) {
		return nil, usage("PLEXY_TEST_FAILPOINT names no point; there are %s",
			strings.Join(sqlite.Points(), ", "))
	}
	var reached atomic.Int64
	return func(point string) error {
		if point != parts[0] || reached.Add(1) != n {
			return nil
		}
		if how == "error" {
			return fmt.Errorf("fail-point %s", point)
		}
		if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil {
			return err
		}
		select {} // the signal is on its way
	}, nil
}

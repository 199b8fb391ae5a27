package main

import (
	"errors"
	"fmt"
	"os"
	"runtime/pprof"
)

// profileVariable names a file for a CPU profile of a server, from its start to its stop: for whoever asks
// where the bench's time goes.
const profileVariable = "PLEXY_TEST_CPUPROFILE"

// profiled runs do under the CPU profiler when the environment asks for it.
func profiled(do func() error) error {
	path := os.Getenv(profileVariable)
	if path == "" {
		return do()
	}
	file, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("%s: %w", profileVariable, err)
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		return errors.Join(fmt.Errorf("%s: %w", profileVariable, err), file.Close())
	}
	err = do()
	pprof.StopCPUProfile()
	return errors.Join(err, file.Close())
}

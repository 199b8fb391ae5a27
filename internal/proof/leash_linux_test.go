package proof_test

import "syscall"

// leashed makes a program end when the test does, however the test ends.
func leashed() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

//go:build !linux

package proof_test

import "syscall"

// leashed has no way here to make a program end with a test that is killed.
func leashed() *syscall.SysProcAttr { return nil }

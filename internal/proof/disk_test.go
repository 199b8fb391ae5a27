package proof_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestDiskFull fills the disk under a working server: 503s, nothing lost, and service again when there is
// space. The second time the server is killed and comes back in between.
func TestDiskFull(t *testing.T) {
	s := newSiteAt(t, smallDisk(t, "64m"), "")
	v := s.serve()
	sh := openShop(s, 8)
	stop := sh.work()
	defer stop()
	for _, deadly := range []bool{false, true} {
		sh.await(t, "the service works", func() bool { return sh.client.decided.Load() > 200 })
		ballast := filepath.Join(s.data, "ballast")
		fill(t, ballast)
		was := sh.client.refused.Load()
		sh.await(t, "callers hear of the full disk", func() bool { return sh.client.refused.Load() > was+50 })
		if deadly {
			v.kill()
		}
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
		if deadly {
			if _, err := v.start(); err != nil {
				t.Fatal(err)
			}
		}
		began, decided := time.Now(), sh.client.decided.Load()
		sh.await(t, "the service works again", func() bool { return sh.client.decided.Load() > decided+200 })
		if took := time.Since(began); took > backLimit {
			t.Errorf("with space again it took %v until the service was back, at most %v", took, backLimit)
		}
	}
	stop()
	sh.audit()
}

// TestFsyncFails makes the system refuse to flush the running server's files, for a while. Again the
// second time the server is killed: what it said it had not done must not be found on the disk.
func TestFsyncFails(t *testing.T) {
	tool := strace(t)
	s := newSite(t, onSQLite)
	v := s.serve()
	sh := openShop(s, 8)
	sh.keyed = 5
	stop := sh.work()
	defer stop()
	for _, deadly := range []bool{false, true, true} {
		was := sh.client.refused.Load()
		free := failFsync(t, tool, v.pid())
		sh.await(t, "callers hear of the failing disk", func() bool { return sh.client.refused.Load() > was+30 })
		if deadly {
			v.kill()
		}
		free()
		if deadly {
			if _, err := v.start(); err != nil {
				t.Fatal(err)
			}
		}
		began, decided := time.Now(), sh.client.decided.Load()
		sh.await(t, "the service works again", func() bool { return sh.client.decided.Load() > decided+200 })
		if took := time.Since(began); took > backLimit {
			t.Errorf("with a healthy disk it took %v until the service was back, at most %v", took, backLimit)
		}
	}
	stop()
	sh.audit()
	t.Logf("%d answers were 503", sh.client.refused.Load())
}

// await polls until the condition holds.
func (sh *shop) await(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(readyLimit); !condition(); time.Sleep(pollEvery) {
		if err := sh.fault(); err != nil {
			t.Fatal(err)
		}
		if time.Now().After(deadline) {
			t.Fatalf("after %v still not: %s", readyLimit, what)
		}
	}
}

// smallDisk mounts a file system of the given size in memory, or skips the test and says why.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if os.Geteuid() != 0 {
		t.Skip("skipped, not proven: mounting a small disk needs root")
	}
	mount := exec.Command("mount", "-t", "tmpfs", "-o", "size="+size+",mode=0700", "plexy-proof", dir)
	if out, err := mount.CombinedOutput(); err != nil {
		t.Skipf("skipped, not proven: a small disk cannot be mounted here: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
	return dir
}

// fill writes a file until nothing more fits.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for block := make([]byte, 1<<20); len(block) > 0; {
		switch _, err := f.Write(block); {
		case errors.Is(err, syscall.ENOSPC):
			block = block[:len(block)/2]
		case err != nil:
			t.Fatal(err)
		}
	}
}

// strace returns the path of the tool that makes system calls fail, installing Debian's package if there
// is none and we are root; or it skips the test and says why.
func strace(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("strace"); err != nil && os.Geteuid() == 0 {
		install := exec.Command("apt-get", "install", "-y", "--no-install-recommends", "strace")
		install.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if out, err := install.CombinedOutput(); err != nil {
			t.Logf("install strace: %v\n%s", err, out)
		}
	}
	path, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("skipped, not proven: strace, which makes fsync fail, is not installed (Debian's package strace)")
	}
	if out, err := exec.Command(path, "-e", "trace=none", "true").CombinedOutput(); err != nil {
		t.Skipf("skipped, not proven: this machine lets nobody trace: %v: %s", err, out)
	}
	return path
}

// failFsync makes every flush of the process fail with an input/output error, until the returned function
// is called.
func failFsync(t *testing.T, tool string, pid int) (stop func()) {
	t.Helper()
	cmd := exec.Command(tool, "-f", "-qq", "-o", os.DevNull, "-p", fmt.Sprint(pid),
		"-e", "trace=fsync,fdatasync,sync_file_range", "-e", "inject=fsync,fdatasync,sync_file_range:error=EIO")
	var trouble strings.Builder
	cmd.Stderr = &trouble
	cmd.SysProcAttr = leashed()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		// It lets go of the process and ends by this very signal; it may have ended with the process.
		if err := cmd.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Error(err)
		}
		if err := cmd.Wait(); err != nil && cmd.ProcessState.ExitCode() > 0 {
			t.Errorf("strace: %v: %s", err, trouble.String())
		}
	}
}

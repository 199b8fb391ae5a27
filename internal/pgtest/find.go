package pgtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"sort"
	"strconv"
	"syscall"
	"time"
)

// installLimit bounds the wait for Debian's mirrors, and for another package doing the same.
const installLimit = 10 * time.Minute

// binaries returns the folder that holds initdb and postgres, installing them where we may.
func binaries(ctx context.Context) (string, error) {
	if dir := find(); dir != "" {
		return dir, nil
	}
	if err := install(ctx); err != nil {
		return "", fmt.Errorf("%w: %w", errAbsent, err)
	}
	if dir := find(); dir != "" {
		return dir, nil
	}
	return "", fmt.Errorf("%w: the installed package brought no server", errAbsent)
}

// find looks where Debian puts servers, newest first, then in PATH.
func find() string {
	dirs, _ := filepath.Glob("/usr/lib/postgresql/*/bin") // the pattern is fixed, so it cannot be malformed
	version := func(dir string) int {
		n, _ := strconv.Atoi(filepath.Base(filepath.Dir(dir)))
		return n
	}
	sort.Slice(dirs, func(i, j int) bool { return version(dirs[i]) > version(dirs[j]) })
	for _, dir := range dirs {
		if complete(dir) {
			return dir
		}
	}
	path, err := exec.LookPath("postgres")
	if err != nil {
		return ""
	}
	if path, err = filepath.EvalSymlinks(path); err != nil || !complete(filepath.Dir(path)) {
		return ""
	}
	return filepath.Dir(path)
}

func complete(dir string) bool {
	for _, name := range []string{"initdb", "postgres"} {
		if _, err := exec.LookPath(filepath.Join(dir, name)); err != nil {
			return false
		}
	}
	return true
}

// install brings Debian's server. One process at a time: packages are tested side by side.
func install(ctx context.Context) error {
	if os.Geteuid() != 0 {
		return errors.New("not root, so nothing can be installed")
	}
	if _, err := exec.LookPath("apt-get"); err != nil {
		return errors.New("no apt-get to install it with")
	}
	ctx, cancel := context.WithTimeout(ctx, installLimit)
	defer cancel()
	lock, err := os.OpenFile(filepath.Join(os.TempDir(), "plexy-apt.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("open the installation lock: %w", err)
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf("take the installation lock: %w", err)
	}
	if find() != "" {
		return nil // somebody else was first
	}
	fmt.Fprintln(os.Stderr, "pgtest: installing Debian's package postgresql")
	wait := "-oDPkg::Lock::Timeout=300"
	if err := apt(ctx, wait, "update"); err != nil {
		return err
	}
	return apt(ctx, wait, "install", "-y", "--no-install-recommends", "postgresql")
}

func apt(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, "apt-get", args...)
	// RUNLEVEL=1 keeps the package from starting a server of its own beside ours.
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("apt-get %v: %w: %s", args, err, tail(out))
	}
	return nil
}

// tail returns the last lines of what a program said, enough to see why it failed.
func tail(b []byte) []byte {
	const enough = 2000
	b = bytes.TrimSpace(b)
	if len(b) > enough {
		b = b[len(b)-enough:]
	}
	return b
}

// unprivileged names the user to run the server as: PostgreSQL refuses root. Nil means ourselves.
func unprivileged() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		if err != nil {
			continue
		}
		gid, err := strconv.ParseUint(u.Gid, 10, 32)
		if err != nil {
			continue
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, fmt.Errorf("%w: we are root and there is no user to run it as", errAbsent)
}

// folder makes the server's own folder, where the server's user can reach it.
func folder(who *syscall.Credential) (string, error) {
	parent := os.TempDir()
	if who != nil && !openToAll(parent) {
		parent = "/tmp"
	}
	dir, err := os.MkdirTemp(parent, "plexy-postgres-")
	if err != nil || who == nil {
		return dir, err
	}
	return dir, os.Chown(dir, int(who.Uid), int(who.Gid))
}

func openToAll(dir string) bool {
	for {
		info, err := os.Stat(dir)
		if err != nil || info.Mode().Perm()&0o001 == 0 {
			return false
		}
		up := filepath.Dir(dir)
		if up == dir {
			return true
		}
		dir = up
	}
}

package sqlite

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"unsafe"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"

	"plexy/internal/core/machine"
	"plexy/internal/storage"
)

// The file system "faulty" is the usual one, but syncs of the write-ahead log and writes to it fail while
// a test wants them to.
const faulty = "faulty"

var (
	failingSyncs  atomic.Int64 // how many of the next syncs of the log fail
	failingWrites atomic.Int64 // from which write on the log finds no room; 0 is never
)

var system struct {
	once    sync.Once
	vfs     uintptr // of the usual file system
	methods lib.Tsqlite3_io_methods
	broken  uintptr // copy of methods that can fail
}

// pointer turns a Go function into what the engine calls, as its own wrappers do.
func pointer[F any](f F) uintptr { return *(*uintptr)(unsafe.Pointer(&struct{ f F }{f})) }

func function[F any](p uintptr) F { return *(*F)(unsafe.Pointer(&struct{ p uintptr }{p})) }

// at is the memory of the engine at an address, which the Go runtime knows nothing about.
func at[T any](address uintptr) *T { return *(**T)(unsafe.Pointer(&address)) }

func registerFaulty(tb testing.TB) {
	tb.Helper()
	system.once.Do(func() {
		tls := libc.NewTLS()
		system.vfs = lib.Xsqlite3_vfs_find(tls, 0)
		made := libc.Xmalloc(tls, libc.Tsize_t(unsafe.Sizeof(lib.Tsqlite3_vfs{})))
		name, err := libc.CString(faulty)
		if err != nil || made == 0 || system.vfs == 0 {
			tb.Fatal("no memory for a file system")
		}
		vfs := at[lib.Tsqlite3_vfs](made)
		*vfs = *at[lib.Tsqlite3_vfs](system.vfs)
		vfs.FpNext, vfs.FzName = 0, name
		vfs.FxOpen = pointer(faultyOpen)
		if rc := lib.Xsqlite3_vfs_register(tls, made, 0); rc != lib.SQLITE_OK {
			tb.Fatalf("register a file system: %d", rc)
		}
	})
	failingSyncs.Store(0)
	failingWrites.Store(0)
}

type openFunc = func(*libc.TLS, uintptr, uintptr, uintptr, int32, uintptr) int32

var faultyOpen openFunc = func(tls *libc.TLS, _, name, file uintptr, flags int32, out uintptr) int32 {
	usual := at[lib.Tsqlite3_vfs](system.vfs)
	rc := function[openFunc](usual.FxOpen)(tls, system.vfs, name, file, flags, out)
	if rc != lib.SQLITE_OK || flags&lib.SQLITE_OPEN_WAL == 0 {
		return rc
	}
	methods := at[uintptr](file)
	if system.broken == 0 {
		system.methods = *at[lib.Tsqlite3_io_methods](*methods)
		system.broken = libc.Xmalloc(tls, libc.Tsize_t(unsafe.Sizeof(system.methods)))
		broken := at[lib.Tsqlite3_io_methods](system.broken)
		*broken = system.methods
		broken.FxSync = pointer(faultySync)
		broken.FxWrite = pointer(faultyWrite)
	}
	*methods = system.broken
	return rc
}

func faultySync(tls *libc.TLS, file uintptr, flags int32) int32 {
	if failingSyncs.Load() > 0 {
		failingSyncs.Add(-1)
		return lib.SQLITE_IOERR_FSYNC
	}
	return function[func(*libc.TLS, uintptr, int32) int32](system.methods.FxSync)(tls, file, flags)
}

func faultyWrite(tls *libc.TLS, file, data uintptr, n int32, at int64) int32 {
	if failingWrites.Load() > 0 && failingWrites.Add(-1) == 0 {
		failingWrites.Store(1) // it stays full
		return lib.SQLITE_FULL
	}
	type write = func(*libc.TLS, uintptr, uintptr, int32, int64) int32
	return function[write](system.methods.FxWrite)(tls, file, data, n, at)
}

// crashed returns a shop on what a process finds that starts after a crash at this moment: the file and
// its log, without the shared memory of those who live.
func (sh *shop) crashed() *shop {
	sh.Helper()
	cfg := Config{Path: filepath.Join(sh.TempDir(), "plexy.db"), Owner: true}
	for _, suffix := range []string{"", "-wal"} {
		data, err := os.ReadFile(sh.cfg.Path + suffix)
		sh.ok(err)
		sh.ok(os.WriteFile(cfg.Path+suffix, data, 0o600))
	}
	after := *sh
	after.Store = reopened(sh.TB, cfg)
	return &after
}

func faultyShop(t *testing.T) (*shop, []machine.Instruction) {
	registerFaulty(t)
	sh := newShop(t, fresh(t, Config{Owner: true, vfs: faulty}), 1)
	return sh, sh.sell(3)
}

// A commit whose sync fails once is not saved: not for this process, and not for one that recovers the
// log after a crash, although the log once held it whole.
func TestFailingSync(t *testing.T) {
	sh, sold := faultyShop(t)
	in := sh.authorize()
	failingSyncs.Store(1)
	_, err := sh.try(in)
	if !errors.Is(err, storage.ErrUnavailable) || errors.Is(err, storage.ErrUncertain) {
		t.Fatalf("a failed sync: %v", err)
	}
	after := sh.crashed()
	after.replays(sold)
	if after.try1(in).Replayed {
		t.Error("a commit that was reported as not saved came back after a crash")
	}
	if sh.try1(in).Replayed {
		t.Error("a commit that was reported as not saved is there")
	}
	sh.replays(append(sold, in))
}

// While the disk does not sync at all nobody can say; when it does again, it was not saved.
func TestLastingFailureOfSync(t *testing.T) {
	sh, sold := faultyShop(t)
	in := sh.authorize()
	failingSyncs.Store(1_000_000)
	if _, err := sh.try(in); !errors.Is(err, storage.ErrUncertain) {
		t.Fatalf("a failed sync that cannot be settled: %v", err)
	}
	if _, err := sh.try(sh.authorize()); !errors.Is(err, storage.ErrUnavailable) {
		t.Fatalf("before the log is in order nothing is begun: %v", err)
	}
	failingSyncs.Store(0)
	if sh.try1(in).Replayed {
		t.Error("it was saved after all")
	}
	sold = append(sold, in)
	sh.replays(sold)
	sh.crashed().replays(sold)
}

// A log that finds no room at whichever of its writes leaves nothing behind, and serves again.
func TestLogWithoutRoom(t *testing.T) {
	sh, sold := faultyShop(t)
	for at := int64(1); at < 40; at += 3 {
		in := sh.authorize()
		failingWrites.Store(at)
		_, err := sh.try(in)
		failingWrites.Store(0)
		if err == nil {
			sold = append(sold, in)
			break // the commit needs fewer writes than that
		}
		if !errors.Is(err, storage.ErrUnavailable) || errors.Is(err, storage.ErrUncertain) {
			t.Fatalf("no room at write %d: %v", at, err)
		}
		if sh.crashed().try1(in).Replayed {
			t.Fatalf("no room at write %d, and saved", at)
		}
		if sh.try1(in).Replayed {
			t.Fatalf("no room at write %d, and saved", at)
		}
		sold = append(sold, in)
	}
	sh.replays(sold)
	sh.crashed().replays(sold)
}

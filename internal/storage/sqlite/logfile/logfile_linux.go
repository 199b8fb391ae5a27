package logfile

import (
	"errors"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"
)

// pendingLimit bounds the bytes that are kept back; more are written in several pieces. It is the most that
// SQLite's own file system takes in one call: it looks at the lower 17 bits of a length only.
const pendingLimit = 1<<17 - 1

// system is one registered file system. It lives as long as the process: the engine calls its functions.
type system struct {
	beneath uintptr                 // the file system below
	foreign bool                    // it is not SQLite's own: its flush is its own business
	usual   lib.Tsqlite3_io_methods // of a log below
	ours    uintptr                 // a copy of usual with our functions; 0 until the first log is opened

	open     openFunc
	write    transferFunc
	read     transferFunc
	truncate func(*libc.TLS, uintptr, int64) int32
	sync     func(*libc.TLS, uintptr, int32) int32
	size     func(*libc.TLS, uintptr, uintptr) int32
	control  func(*libc.TLS, uintptr, int32, uintptr) int32
	close    func(*libc.TLS, uintptr) int32

	mu   sync.Mutex
	logs map[uintptr]*pending // by the engine's file
}

type (
	openFunc     = func(*libc.TLS, uintptr, uintptr, uintptr, int32, uintptr) int32
	transferFunc = func(*libc.TLS, uintptr, uintptr, int32, int64) int32
)

// pending is what was appended to one log and not yet written. One connection has the file, and one
// goroutine the connection, so nothing here is locked.
type pending struct {
	bytes  uintptr // pendingLimit bytes of the engine's memory
	at     int64   // where in the file they belong
	n      int64
	synced bool // the engine's own flush was used once: it also flushes the folder
}

// systems keeps the registered file systems reachable.
var systems []*system

// pointer turns a Go function into what the engine calls, as its own wrappers do.
func pointer[F any](f *F) uintptr { return *(*uintptr)(unsafe.Pointer(f)) }

// function is the reverse of pointer.
func function[F any](p uintptr) F { return *(*F)(unsafe.Pointer(&struct{ p uintptr }{p})) }

// at is the memory of the engine at an address, which the Go runtime knows nothing about.
func at[T any](address uintptr) *T { return *(**T)(unsafe.Pointer(&address)) }

func register(beneath string) (string, error) {
	tls := libc.NewTLS()
	below, err := libc.CString(beneath)
	if err != nil {
		return "", err
	}
	s := &system{logs: map[uintptr]*pending{}, foreign: beneath != Usual}
	if beneath == Usual {
		s.beneath = lib.Xsqlite3_vfs_find(tls, 0)
	} else {
		s.beneath = lib.Xsqlite3_vfs_find(tls, below)
	}
	libc.Xfree(tls, below)
	name := "plexy-log"
	if beneath != Usual {
		name += "-" + beneath
	}
	text, err := libc.CString(name)
	if err != nil {
		return "", err
	}
	made := libc.Xmalloc(tls, libc.Tsize_t(unsafe.Sizeof(lib.Tsqlite3_vfs{})))
	if made == 0 || s.beneath == 0 {
		return "", errors.New("logfile: no file system beneath, or no memory for this one")
	}
	s.functions()
	vfs := at[lib.Tsqlite3_vfs](made)
	*vfs = *at[lib.Tsqlite3_vfs](s.beneath)
	vfs.FpNext, vfs.FzName, vfs.FxOpen = 0, text, pointer(&s.open)
	if rc := lib.Xsqlite3_vfs_register(tls, made, 0); rc != lib.SQLITE_OK {
		return "", errors.New("logfile: the engine refuses the file system")
	}
	systems = append(systems, s)
	return name, nil
}

// functions makes what the engine calls.
func (s *system) functions() {
	s.open = func(t *libc.TLS, _, name, file uintptr, flags int32, out uintptr) int32 {
		beneath := at[lib.Tsqlite3_vfs](s.beneath)
		rc := function[openFunc](beneath.FxOpen)(t, s.beneath, name, file, flags, out)
		if rc != lib.SQLITE_OK || flags&lib.SQLITE_OPEN_WAL == 0 {
			return rc
		}
		return s.adopt(t, file)
	}
	s.write = s.append
	s.read = func(t *libc.TLS, file, to uintptr, n int32, off int64) int32 {
		return s.after(t, file, func() int32 {
			return function[transferFunc](s.usual.FxRead)(t, file, to, n, off)
		})
	}
	s.truncate = func(t *libc.TLS, file uintptr, size int64) int32 {
		return s.after(t, file, func() int32 {
			return function[func(*libc.TLS, uintptr, int64) int32](s.usual.FxTruncate)(t, file, size)
		})
	}
	s.size = func(t *libc.TLS, file, to uintptr) int32 {
		return s.after(t, file, func() int32 {
			return function[func(*libc.TLS, uintptr, uintptr) int32](s.usual.FxFileSize)(t, file, to)
		})
	}
	s.control = func(t *libc.TLS, file uintptr, op int32, argument uintptr) int32 {
		return s.after(t, file, func() int32 {
			call := function[func(*libc.TLS, uintptr, int32, uintptr) int32](s.usual.FxFileControl)
			return call(t, file, op, argument)
		})
	}
	s.sync = func(t *libc.TLS, file uintptr, flags int32) int32 {
		return s.after(t, file, func() int32 { return s.flushed(t, file, flags) })
	}
	s.close = s.closed
}

// adopt takes over a log that the file system beneath has opened.
func (s *system) adopt(t *libc.TLS, file uintptr) int32 {
	bytes := libc.Xmalloc(t, pendingLimit)
	if bytes == 0 {
		return lib.SQLITE_NOMEM
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	methods := at[uintptr](file)
	if s.ours == 0 {
		s.usual = *at[lib.Tsqlite3_io_methods](*methods)
		s.ours = libc.Xmalloc(t, libc.Tsize_t(unsafe.Sizeof(s.usual)))
		ours := at[lib.Tsqlite3_io_methods](s.ours)
		*ours = s.usual
		ours.FxWrite, ours.FxRead, ours.FxSync = pointer(&s.write), pointer(&s.read), pointer(&s.sync)
		ours.FxTruncate, ours.FxFileSize = pointer(&s.truncate), pointer(&s.size)
		ours.FxFileControl, ours.FxClose = pointer(&s.control), pointer(&s.close)
	}
	*methods = s.ours
	s.logs[file] = &pending{bytes: bytes}
	return lib.SQLITE_OK
}

func (s *system) log(file uintptr) *pending {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.logs[file]
}

// append keeps back what continues the pending bytes; anything else writes these first.
func (s *system) append(t *libc.TLS, file, data uintptr, n int32, off int64) int32 {
	p := s.log(file)
	if p.n > 0 && (off != p.at+p.n || p.n+int64(n) > pendingLimit) {
		if rc := s.settle(t, file, p); rc != lib.SQLITE_OK {
			return rc
		}
	}
	if int64(n) > pendingLimit {
		return function[transferFunc](s.usual.FxWrite)(t, file, data, n, off)
	}
	if p.n == 0 {
		p.at = off
	}
	libc.Xmemcpy(t, p.bytes+uintptr(p.n), data, libc.Tsize_t(n))
	p.n += int64(n)
	return lib.SQLITE_OK
}

// settle makes the pending bytes part of the file. They are gone afterwards in any case: a commit whose
// bytes could not be written is undone.
func (s *system) settle(t *libc.TLS, file uintptr, p *pending) int32 {
	if p.n == 0 {
		return lib.SQLITE_OK
	}
	n := p.n
	p.n = 0
	return function[transferFunc](s.usual.FxWrite)(t, file, p.bytes, int32(n), p.at)
}

// after does what needs the whole file.
func (s *system) after(t *libc.TLS, file uintptr, do func() int32) int32 {
	if rc := s.settle(t, file, s.log(file)); rc != lib.SQLITE_OK {
		return rc
	}
	return do()
}

// flushed makes the file durable: the first time as the engine does, which includes the folder.
func (s *system) flushed(t *libc.TLS, file uintptr, flags int32) int32 {
	p := s.log(file)
	if !p.synced || s.foreign {
		rc := function[func(*libc.TLS, uintptr, int32) int32](s.usual.FxSync)(t, file, flags)
		p.synced = rc == lib.SQLITE_OK
		return rc
	}
	for {
		err := unix.Fdatasync(int(at[lib.TunixFile](file).Fh))
		switch {
		case err == nil:
			return lib.SQLITE_OK
		case !errors.Is(err, unix.EINTR):
			return lib.SQLITE_IOERR_FSYNC
		}
	}
}

func (s *system) closed(t *libc.TLS, file uintptr) int32 {
	p := s.log(file)
	rc := s.settle(t, file, p)
	libc.Xfree(t, p.bytes)
	s.mu.Lock()
	delete(s.logs, file)
	s.mu.Unlock()
	if down := function[func(*libc.TLS, uintptr) int32](s.usual.FxClose)(t, file); down != lib.SQLITE_OK {
		return down
	}
	return rc
}

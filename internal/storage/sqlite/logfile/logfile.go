// Package logfile is a file system under SQLite that differs from the usual one in the write-ahead log
// only: what a commit appends is written in one piece, and flushed with fdatasync.
//
// SQLite writes the log in two calls a page, a header of 24 bytes and the page, and this build of it flushes
// with fsync, which also waits for the file's times. A batch appends some fifty pages, so that was a hundred
// calls and a journal commit of the disk's file system; here it is one call and no journal commit once the
// log has its size. Measured, a third of the time that a batch spends in COMMIT.
//
// It is safe because of one rule: whoever asks anything of the file (a read, its size, a flush, a close)
// first makes the pending bytes part of it. SQLite lets nobody see pages of the log before the flush of
// their commit, so other connections and processes never miss pending bytes. When they cannot be written,
// the call that needed them says so, which is the flush of the commit at the latest, and they are dropped:
// SQLite undoes the commit and writes over that place.
package logfile

import "sync"

// Usual is the name of SQLite's own file system.
const Usual = ""

var (
	mu    sync.Mutex
	under = map[string]string{} // name by what is beneath
)

// Register makes the file system over the one that is registered as beneath (Usual, or a test's own) and
// returns its name. It may be called any number of times. Where the operating system has no fdatasync it
// returns beneath, and nothing differs.
func Register(beneath string) (string, error) {
	mu.Lock()
	defer mu.Unlock()
	if name, ok := under[beneath]; ok {
		return name, nil
	}
	name, err := register(beneath)
	if err != nil {
		return "", err
	}
	under[beneath] = name
	return name, nil
}

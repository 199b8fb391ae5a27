package sqlite

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	engine "zombiezen.com/go/sqlite"

	"plexy/internal/storage/sqlstore"
)

// link is one connection. Only one goroutine uses it at a time.
type link struct {
	conn  *engine.Conn
	stmts map[string]*engine.Stmt // by the text they were asked for with
	cut   chan struct{}           // closed to cut the statement under way off; nil while nobody listens
}

// purpose says what a connection is for.
type purpose int

const (
	reading purpose = iota
	writing
	copying // into another file: see Backup
	moving  // the log into the file: see Checkpoint
)

// pragmas of each purpose. The writer's cache holds the growing ends of all trees and the busy wallets;
// readers borrow from the page cache of the system. Where nobody calls Checkpoint, a commit that finds
// 8000 pages (32 MiB) in the log moves them.
var pragmas = map[purpose][]string{
	reading: {"query_only = on", "cache_size = -2048"},
	writing: {
		"synchronous = full", "fullfsync = on", "checkpoint_fullfsync = on", "foreign_keys = on",
		"cache_size = -2048", "wal_autocheckpoint = 8000", "journal_size_limit = 67108864",
		"temp_store = memory",
	},
	moving: {"synchronous = full", "fullfsync = on", "checkpoint_fullfsync = on", "cache_size = -256"},
}

// readPatience is how long a reader waits for the rare moments in which WAL shuts readers out.
const readPatience = 10 * time.Second

func openLink(path string, p purpose) (*link, error) { return openLinkOn("", path, p) }

// openLinkOn opens on a file system that was registered under a name; "" is the usual one.
func openLinkOn(vfs, path string, p purpose) (*link, error) {
	name := uri(path)
	if vfs != "" {
		name += "?vfs=" + url.QueryEscape(vfs)
	}
	conn, err := engine.OpenConn(name, engine.OpenReadWrite, engine.OpenURI)
	if err != nil {
		return nil, sorted(err)
	}
	conn.SetBusyTimeout(readPatience)
	l := &link{conn: conn, stmts: map[string]*engine.Stmt{}}
	for _, pragma := range pragmas[p] {
		if err := l.run("pragma " + pragma); err != nil {
			return nil, errors.Join(fmt.Errorf("set %s: %w", pragma, sorted(err)), l.close())
		}
	}
	return l, nil
}

func uri(path string) string {
	u := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath()}
	return u.String()
}

func (l *link) close() error { return l.conn.Close() }

// within runs fn and cuts the statement under way off when ctx ends.
func (l *link) within(ctx context.Context, fn func() error) error {
	if l.cut == nil {
		l.cut = make(chan struct{})
		l.conn.SetInterrupt(l.cut)
	}
	now := l.cut
	stop := context.AfterFunc(ctx, func() { close(now) })
	err := fn()
	if !stop() {
		<-now // it is being closed, or was
		l.conn.SetInterrupt(nil)
		l.cut = nil
	}
	return cut(ctx, err)
}

// prepare returns the statement for sql, made once for the life of the connection. SQLite takes $1 for a
// name, so it is written ?1, which is a number.
func (l *link) prepare(sql string) (*engine.Stmt, error) {
	if stmt, ok := l.stmts[sql]; ok {
		return stmt, nil
	}
	stmt, err := l.conn.Prepare(strings.ReplaceAll(sql, "$", "?"))
	if err != nil {
		return nil, err
	}
	l.stmts[sql] = stmt
	return stmt, nil
}

// run executes a statement without arguments and passes over its rows.
func (l *link) run(sql string) error {
	_, err := l.Exec(context.Background(), sql, nil)
	return err
}

// Query calls fn for every row of the statement.
func (l *link) Query(_ context.Context, sql string, args []any, fn func(sqlstore.Row) error) error {
	stmt, err := l.prepare(sql)
	if err != nil {
		return err
	}
	bind(stmt, args)
	r := &row{stmt: stmt}
	for {
		more, err := stmt.Step() // resets the statement when it fails
		if err != nil {
			return err
		}
		if !more {
			return stmt.Reset()
		}
		r.column = 0
		if err := fn(r); err != nil {
			_ = stmt.Reset() // it only repeats what Step said
			return err
		}
	}
}

// Exec runs the statement and says how many rows it changed.
func (l *link) Exec(ctx context.Context, sql string, args []any) (int64, error) {
	err := l.Query(ctx, sql, args, func(sqlstore.Row) error { return nil })
	if err != nil {
		return 0, err
	}
	return int64(l.conn.Changes()), nil
}

func bind(stmt *engine.Stmt, args []any) {
	for i, arg := range args {
		switch v := arg.(type) {
		case int64:
			stmt.BindInt64(i+1, v)
		case string:
			stmt.BindText(i+1, v)
		case []byte:
			stmt.BindBytes(i+1, v)
		case bool:
			stmt.BindBool(i+1, v)
		default:
			panic(fmt.Sprintf("sqlite: cannot bind a %T", arg))
		}
	}
}

// row reads the columns of a statement's current row from left to right.
type row struct {
	stmt   *engine.Stmt
	column int
}

func (r *row) next() int {
	r.column++
	return r.column - 1
}

func (r *row) Int64() int64 { return r.stmt.ColumnInt64(r.next()) }
func (r *row) Text() string { return r.stmt.ColumnText(r.next()) }
func (r *row) Bool() bool   { return r.stmt.ColumnBool(r.next()) }

func (r *row) Bytes() []byte {
	at := r.next()
	n := r.stmt.ColumnLen(at)
	if n == 0 {
		return nil
	}
	b := make([]byte, n)
	r.stmt.ColumnBytes(at, b)
	return b
}

package postgres

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5/pgconn"

	"plexy/internal/storage/sqlstore"
)

// session is one connection that carries batches, with everything prepared on it.
type session struct {
	conn       *pgconn.PgConn
	who        backend
	types      map[string]uint32 // OIDs of the batch_… types
	statements map[string]*pgconn.StatementDescription
	plans      plans
	scratch    rows // of the statement being added: its bytes are copied into the round
}

// backend names the server's process behind a session for good: a process id alone is used again.
type backend struct {
	pid     int64
	started int64 // microseconds since 1970-01-01 UTC
}

// plans says when the plans of the statements are made anew. They are made for arrays of any size and kept,
// because making them costs more than running them. But while a table is small every plan looks as good as
// any other, and one that was chosen then may read a whole index: that is free with ten rows, and ruin with
// a million. So plans are kept for as many batches as there were before them, up to a bound of batches and
// of time, and made anew for the size that the tables have by then.
type plans struct {
	batches int   // since they were made
	keep    int   // for how many batches
	made    int64 // microseconds
}

const (
	longestKept = 1024
	oldestPlan  = 10 * 1_000_000 // microseconds
)

// outgrown counts a batch, at the given time, and reports whether plans must be made anew for it.
func (p *plans) outgrown(at int64) bool {
	if p.batches < p.keep && at-p.made < oldestPlan && at >= p.made {
		p.batches++
		return false
	}
	*p = plans{batches: 1, keep: min(max(1, 2*p.keep), longestKept), made: at}
	return true
}

// The session's own settings. Commits are never weakened, whatever the database or the role says, but an
// operator's remote_apply stays. Batches go from key to key over indexes, so the planner is offered nothing
// else (see plans). A process that vanished lets go of its locks within the limits below.
const sessionSettings = `
set application_name = 'plexy batches';
select set_config('synchronous_commit', case current_setting('synchronous_commit')
  when 'remote_apply' then 'remote_apply' else 'on' end, false);
set timezone = 'UTC'; set client_min_messages = error; set jit = off;
set plan_cache_mode = force_generic_plan;
set enable_seqscan = off; set enable_bitmapscan = off; set enable_hashjoin = off; set enable_mergejoin = off;
set statement_timeout = '20s'; set idle_in_transaction_session_timeout = '30s';
set tcp_keepalives_idle = 10; set tcp_keepalives_interval = 5; set tcp_keepalives_count = 3;
set tcp_user_timeout = '25s';`

const whoSQL = `select pid::bigint, (extract(epoch from backend_start) * 1000000)::bigint
from pg_stat_activity where pid = pg_backend_pid()`

// open makes a session. Everything that it needs is made in four round trips.
func open(ctx context.Context, cfg *pgconn.Config) (*session, error) {
	conn, err := pgconn.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	s := &session{conn: conn}
	if err := s.setUp(ctx); err != nil {
		err = sorted(fmt.Errorf("set the session up: %w", err), conn.IsClosed())
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *session) setUp(ctx context.Context) error {
	if _, err := s.conn.Exec(ctx, sessionSettings).ReadAll(); err != nil {
		return err
	}
	err := s.query(ctx, whoSQL, nil, func(r sqlstore.Row) {
		s.who = backend{pid: r.Int64(), started: r.Int64()}
	})
	if err != nil {
		return err
	}
	s.types = map[string]uint32{}
	const typesSQL = "select name, to_regtype(name)::oid::bigint from unnest($1::text[]) name " +
		"where to_regtype(name) is not null"
	err = s.query(ctx, typesSQL, [][]byte{textArray(batchTypes)}, func(r sqlstore.Row) {
		s.types[r.Text()] = uint32(r.Int64())
	})
	if err != nil {
		return err
	}
	return s.prepare(ctx)
}

// prepare makes all statements in one round trip.
func (s *session) prepare(ctx context.Context) error {
	s.statements = make(map[string]*pgconn.StatementDescription, len(statements))
	names := slices.Sorted(maps.Keys(statements))
	pipeline := s.conn.StartPipeline(ctx)
	for _, name := range names {
		pipeline.SendPrepare(name, statements[name], nil)
	}
	err := pipeline.Sync()
	for err == nil {
		var result any
		if result, err = pipeline.GetResults(); err != nil {
			break
		}
		switch r := result.(type) {
		case *pgconn.StatementDescription:
			r.Name = names[len(s.statements)]
			s.statements[r.Name] = r
		case *pgconn.PipelineSync:
			return pipeline.Close()
		}
	}
	return errors.Join(err, pipeline.Close())
}

// query runs one statement that is not prepared.
func (s *session) query(ctx context.Context, sql string, params [][]byte, read func(sqlstore.Row)) error {
	r := s.conn.ExecParams(ctx, sql, params, nil, []int16{1}, []int16{1})
	for r.NextRow() {
		read(&line{values: r.Values()})
	}
	_, err := r.Close()
	return err
}

// close ends the session; the server rolls back what was under way.
func (s *session) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeLimit)
	defer cancel()
	return s.conn.Close(ctx)
}

// round is statements that travel together: one round trip.
type round struct {
	s     *session
	batch pgconn.Batch
	reads []func(sqlstore.Row)
}

func (s *session) round() *round { return &round{s: s} }

// rows returns an empty array of rows to fill for the next statement.
func (r *round) rows() *rows { return r.s.scratch.reset() }

var binary1 = []int16{1} // all parameters, and all columns, in binary form

// add appends a prepared statement. read is called for every row; it may be nil where there are none.
func (r *round) add(name string, read func(sqlstore.Row), params ...[]byte) {
	prepared := r.s.statements[name]
	formats := binary1
	if len(params) == 0 {
		formats = nil
	}
	r.batch.ExecStatement(prepared, params, formats, binary1)
	r.reads = append(r.reads, read)
}

// run sends the statements and reads the answers. last is the command tag of the last statement that the
// server completed: once that is COMMIT everything is on disk, whatever happens afterwards.
func (r *round) run(ctx context.Context) (last string, err error) {
	results := r.s.conn.ExecBatch(ctx, &r.batch)
	for i := 0; results.NextResult(); i++ {
		result := results.ResultReader()
		for result.NextRow() {
			if read := r.reads[i]; read != nil {
				read(&line{values: result.Values()})
			}
		}
		tag, err := result.Close()
		if err == nil {
			last = tag.String()
		}
	}
	return last, results.Close()
}

// rollback ends the transaction under way, if there is one. A session that cannot is of no use any more.
func (s *session) rollback() error {
	if s.conn.IsClosed() || s.conn.TxStatus() == 'I' {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeLimit)
	defer cancel()
	_, err := s.conn.Exec(ctx, "rollback").ReadAll()
	return err
}

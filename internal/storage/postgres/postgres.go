// Package postgres is the keeper on PostgreSQL 15 and later, for several processes on one database.
// Nothing that a process keeps in memory decides about money: every batch locks and reads what it
// decides on.
//
// Batches travel on one connection per lane, in two round trips; everything else on a pool.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"plexy/internal/id"
	"plexy/internal/storage"
	"plexy/internal/storage/sqlstore"
)

const (
	oldestServer   = 150000 // server_version_num of PostgreSQL 15.0
	defaultLanes   = 2      // one builds its batch while the other one's is on its way to disk
	mostLanes      = 16
	defaultReaders = 16
	slots          = 16 // stripes of one lane's range that processes spread over
)

// Config says where the database is and how this process uses it.
type Config struct {
	// URL is a postgres:// address. A proxy on the way must keep a session's connection (no pooling by
	// transaction).
	URL string
	// Lanes is how many batches may be under way at once, 1 to 16; 0 means 2.
	Lanes int
	// Readers bounds the connections for everything but batches; 0 means 16.
	Readers int
	// Slot (1 to 16) fixes which stripes this process adds to; 0 lets the id of its first connection pick.
	Slot int
	// Fail, when set, is called at the Points with the name of the point; an error makes the batch fail
	// there. It is nil in production, where a batch is two round trips; where it is set the rows go ahead
	// of COMMIT, so that there is a middle.
	Fail func(point string) error
}

// Store is the PostgreSQL keeper.
type Store struct {
	*sqlstore.Store
	cfg   Config
	pool  *pgxpool.Pool
	lanes []*lane
	marks marks

	slotOnce sync.Once
	slot     int // 0 to slots-1: this process's stripes within the range of each lane
}

var _ storage.Storage = (*Store)(nil)

// Open connects to the database, which need not be migrated yet: see Empty, Migrate and Ready. It refuses
// servers before PostgreSQL 15 and servers that run with fsync off.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	if cfg.Lanes == 0 {
		cfg.Lanes = defaultLanes
	}
	if cfg.Readers == 0 {
		cfg.Readers = defaultReaders
	}
	if cfg.Lanes < 1 || cfg.Lanes > mostLanes || cfg.Readers < 1 {
		return nil, fmt.Errorf("postgres: %d lanes (1 to %d) and %d readers (1 or more)",
			cfg.Lanes, mostLanes, cfg.Readers)
	}
	settings, err := poolConfig(cfg)
	if err != nil {
		return nil, err
	}
	pool, err := pgxpool.NewWithConfig(ctx, settings)
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	s := &Store{cfg: cfg, pool: pool}
	s.Store = sqlstore.New(s)
	for i := range cfg.Lanes {
		s.lanes = append(s.lanes, &lane{store: s, first: i * id.Books / cfg.Lanes})
	}
	if err := s.checkServer(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open the database: %w", err), s.Close())
	}
	return s, nil
}

// poolConfig bounds every wait of the pool's connections. What staff writes is as durable as money.
func poolConfig(cfg Config) (*pgxpool.Config, error) {
	c, err := pgxpool.ParseConfig(cfg.URL)
	if err != nil {
		return nil, fmt.Errorf("read the address of the database: %w", err)
	}
	c.MaxConns = int32(cfg.Readers)
	conn := &c.ConnConfig.Config
	if conn.ConnectTimeout == 0 {
		conn.ConnectTimeout = connectLimit
	}
	if conn.ValidateConnect == nil { // a standby can do nothing for us
		conn.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	c.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.PgConn().Exec(ctx, poolSettings).ReadAll()
		return err
	}
	return c, nil
}

const poolSettings = `
select set_config('synchronous_commit', case current_setting('synchronous_commit')
  when 'remote_apply' then 'remote_apply' else 'on' end, false);
set timezone = 'UTC'; set client_min_messages = error; set jit = off;
set default_transaction_isolation = 'read committed';
set statement_timeout = '30s'; set lock_timeout = '10s'; set idle_in_transaction_session_timeout = '5min';
set tcp_keepalives_idle = 10; set tcp_keepalives_interval = 5; set tcp_keepalives_count = 3;
set tcp_user_timeout = '25s';`

// lanesConfig is the pool's way to the server, for a lane's own connection.
func (s *Store) lanesConfig() *pgconn.Config { return s.pool.Config().ConnConfig.Config.Copy() }

// ServerSettings returns settings of the server as they are in force for this process, by their names.
func (s *Store) ServerSettings(ctx context.Context, names ...string) (map[string]string, error) {
	found := map[string]string{}
	err := s.Read(ctx, func(db sqlstore.DB) error {
		for _, name := range names {
			err := db.Query(ctx, "select coalesce(current_setting($1, true), '')", []any{name},
				func(r sqlstore.Row) error {
					found[name] = r.Text()
					return nil
				})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the settings of the server: %w", err)
	}
	return found, nil
}

func (s *Store) checkServer(ctx context.Context) error {
	var version, fsync string
	err := s.Read(ctx, func(db sqlstore.DB) error {
		const sql = "select current_setting('server_version_num'), current_setting('fsync')"
		return db.Query(ctx, sql, nil, func(r sqlstore.Row) error {
			version, fsync = r.Text(), r.Text()
			return nil
		})
	})
	if err != nil {
		return err
	}
	if n, err := strconv.Atoi(version); err != nil || n < oldestServer {
		return fmt.Errorf("the server is PostgreSQL %s (server_version_num); 15 or later is needed", version)
	}
	if fsync != "on" {
		return errors.New("the server runs with fsync off: a power cut would lose acknowledged money")
	}
	return nil
}

// pickSlot chooses the process's stripes once: the server gives every connection another process id, so
// processes beside each other seldom share. Sharing would only make them wait for each other.
func (s *Store) pickSlot(b backend) {
	s.slotOnce.Do(func() {
		s.slot = int(b.pid % slots)
		if s.cfg.Slot > 0 {
			s.slot = (s.cfg.Slot - 1) % slots
		}
	})
}

func (s *Store) fail(point string) error {
	if s.cfg.Fail == nil {
		return nil
	}
	return s.cfg.Fail(point)
}

// Lanes returns how many batches may be under way at once.
func (s *Store) Lanes() int { return len(s.lanes) }

// Close ends all connections; batches under way are waited for.
func (s *Store) Close() error {
	for _, l := range s.lanes {
		l.mu.Lock()
		if l.session != nil {
			l.drop(l.session)
		}
		l.mu.Unlock()
	}
	s.pool.Close()
	return nil
}

package postgres

import (
	"testing"

	"plexy/internal/core/machine"
	"plexy/internal/storage/sqlstore"
)

// SynchronousCommit returns the setting of a lane's session.
func SynchronousCommit(t *testing.T, s *Store) (setting string) {
	t.Helper()
	session, err := s.lanes[0].connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	err = session.query(t.Context(), "select current_setting('synchronous_commit')", nil,
		func(r sqlstore.Row) { setting = r.Text() })
	if err != nil {
		t.Fatal(err)
	}
	return setting
}

// Deadlocks returns how many the database has met.
func Deadlocks(t *testing.T, s *Store) (n int64) {
	t.Helper()
	err := s.Read(t.Context(), func(db sqlstore.DB) error {
		if _, err := db.Exec(t.Context(), "select pg_stat_clear_snapshot()", nil); err != nil {
			return err
		}
		return db.Query(t.Context(), "select deadlocks from pg_stat_database where datname = current_database()",
			nil, func(r sqlstore.Row) error {
				n = r.Int64()
				return nil
			})
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// A batch that is not about card payments runs the statements that it ran before there were any.
func TestBatchesOfWalletsRunNoStatementOfPayments(t *testing.T) {
	s := &session{types: map[string]uint32{}}
	r, state := s.round(), machine.NewState()
	keys := &machine.Keys{Payers: []machine.Holder{{IIN: []string{"i"}, Currency: "KZT"}}}
	(&reading{keys: keys, state: state}).askCards(r)
	saveCards(r, state)
	saveCounts(r, state, 0)
	if len(r.reads) != 0 {
		t.Errorf("%d statements", len(r.reads))
	}
}

package postgres

import (
	"testing"

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

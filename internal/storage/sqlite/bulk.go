package sqlite

import (
	"fmt"
	"strings"

	"plexy/internal/storage/sqlstore"
)

// bulkRows is how many rows one statement inserts. Rows that arrive in order of their key are then put
// beside each other without looking for the place of each, and a statement costs as much as its rows.
const bulkRows = 8

// bulk inserts rows of one table: as many as it can by the statement for bulkRows rows, the rest one by
// one. A violation rolls the whole transaction back, which saves SQLite the means to undo one statement.
type bulk struct {
	head    string // up to values
	columns int
	many    *stmt
	single  *stmt
}

func newBulk(head string) *bulk {
	columns := head[strings.IndexByte(head, '('):]
	return &bulk{head: head, columns: strings.Count(columns, ",") + 1}
}

// insert writes n rows; bind binds row i, whose first column comes after parameter base.
func (k *bulk) insert(s *statements, n int, bind func(q *stmt, base, i int)) error {
	for i := 0; i < n; {
		into, rows := &k.many, bulkRows
		if n-i < bulkRows {
			into, rows = &k.single, 1
		}
		if *into == nil {
			q, err := s.make(k.sql(rows))
			if err != nil {
				return fmt.Errorf("prepare a statement: %w", err)
			}
			*into = q
		}
		q := *into
		for r := range rows {
			bind(q, r*k.columns, i+r)
		}
		if err := q.run(); err != nil {
			return err
		}
		i += rows
	}
	return nil
}

func (k *bulk) sql(rows int) string {
	var b strings.Builder
	b.WriteString(k.head)
	for r := range rows {
		if r > 0 {
			b.WriteByte(',')
		}
		b.WriteString(" (" + sqlstore.Places(1+r*k.columns, k.columns) + ")")
	}
	return b.String()
}

package postgres

import (
	"context"
	"fmt"

	"plexy/internal/storage"
	"plexy/internal/storage/sqlstore"
)

// Finish writes what attempts came to, in the order given. Those that nothing else depends on, nearly all,
// share one statement.
func (s *Store) Finish(
	ctx context.Context, at int64, results []storage.Result, health []storage.Health,
) error {
	err := s.with(ctx, func(db *db) error {
		return db.transaction(ctx, func() error {
			for len(results) > 0 {
				n := plain(results)
				if n > 0 {
					if err := db.finish(ctx, at, results[:n]); err != nil {
						return err
					}
				} else {
					n = 1
					if err := sqlstore.FinishOne(ctx, db, at, &results[0]); err != nil {
						return err
					}
				}
				results = results[n:]
			}
			return sqlstore.FinishHealth(ctx, db, health)
		})
	})
	if err != nil {
		return fmt.Errorf("finish deliveries: %w", err)
	}
	return nil
}

// plain says how many of the first results can be written together: attempts of different deliveries, behind
// which nothing waits.
func plain(results []storage.Result) int {
	seen := make(map[string]bool, len(results))
	for i := range results {
		r := &results[i]
		if r.Attempt.Number == 0 || r.Unblock || seen[r.Delivery.ID] {
			return i
		}
		seen[r.Delivery.ID] = true
	}
	return len(results)
}

const finishSQL = `with given as (
	select * from unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::boolean[], $6::bytea[],
		$7::bigint[], $8::bigint[], $9::bigint[], $10::text[], $11::bytea[])
		as g (id, state, attempts, due_at, out_of_order, body, at, micros, status, error, response)
), done as (
	update deliveries d set state = g.state, attempts = g.attempts, due_at = g.due_at,
		out_of_order = g.out_of_order, body = g.body, updated_at = $12
	from given g where d.id = g.id and d.state = 'waiting' and d.attempts < g.attempts
	returning d.id
)
insert into delivery_attempts (` + sqlstore.AttemptColumns + `)
select g.id, g.attempts, g.at, g.micros, g.status, g.error, g.response
from given g where g.id in (select id from done)`

// finish writes results that plain has counted. One that somebody else has sent, too, is left as it is.
func (d *db) finish(ctx context.Context, at int64, results []storage.Result) error {
	n := len(results)
	ids, states, errs := make([]string, n), make([]string, n), make([]string, n)
	numbers, dues, began := make([]int64, n), make([]int64, n), make([]int64, n)
	took, statuses := make([]int64, n), make([]int64, n)
	late := make([]bool, n)
	bodies, responses := make([][]byte, n), make([][]byte, n)
	for i := range results {
		r, a := &results[i].Delivery, &results[i].Attempt
		ids[i], states[i], errs[i] = r.ID, string(r.State), a.Error
		numbers[i], dues[i], began[i] = int64(r.Attempts), r.DueAt, a.At
		took[i], statuses[i] = a.Micros, int64(a.Status)
		late[i] = r.OutOfOrder
		bodies[i], responses[i] = filled(r.Body), filled(a.Response)
	}
	_, err := d.conn.Exec(ctx, finishSQL, ids, states, numbers, dues, late, bodies, began, took, statuses,
		errs, responses, at)
	return d.sorted(err)
}

// filled makes nil bytes empty: they would be null otherwise.
func filled(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

package sqlstore

import (
	"context"
	"strconv"
	"strings"

	"plexy/internal/storage"
)

// sealedTable is where a kind of record keeps what is sealed.
type sealedTable struct {
	table, merchant string // merchant is a column or the text ''
	indexes, fields []string
}

func tableOf(kind storage.SealedKind) sealedTable {
	switch kind {
	case storage.SealedShoppers:
		return sealedTable{"shoppers", "merchant_id", []string{"email_index", "phone_index"},
			[]string{"email_sealed", "phone_sealed", "name_sealed"}}
	case storage.SealedCards:
		return sealedTable{"card_tokens", "merchant_id", []string{"print"},
			[]string{"number_sealed", "holder_sealed"}}
	case storage.SealedHeldCards:
		return sealedTable{"held_cards", "merchant_id", []string{"print"},
			[]string{"number_sealed", "holder_sealed"}}
	case storage.SealedSessions:
		return sealedTable{"payment_sessions", "merchant_id", nil, []string{"signer_sealed"}}
	case storage.SealedDirectKeys:
		return sealedTable{"direct_keys", "''", nil, []string{"private_sealed"}}
	}
	panic("sqlstore: no such kind of sealed record: " + strconv.Itoa(int(kind)))
}

// SealedUnder returns at most limit records of a kind that are sealed under keyID, in order of id after
// after.
func (s *Store) SealedUnder(
	ctx context.Context, kind storage.SealedKind, keyID, after string, limit int,
) ([]storage.Sealed, error) {
	t := tableOf(kind)
	columns := append(append([]string{"id", t.merchant, "key_id"}, t.indexes...), t.fields...)
	return readAll(ctx, s, query[storage.Sealed]{
		what: "list sealed records by key",
		// The text that no key is called tells the planner that the partial indexes will do.
		sql: "select " + strings.Join(columns, ", ") + " from " + t.table +
			" where key_id = $1 and key_id <> '' and id > $2 order by id limit $3",
		args: []any{keyID, after, int64(limit)},
		scan: func(r Row) storage.Sealed {
			v := storage.Sealed{ID: r.Text(), Merchant: r.Text(), KeyID: r.Text()}
			for range t.indexes {
				v.Indexes = append(v.Indexes, r.Text())
			}
			for range t.fields {
				v.Fields = append(v.Fields, r.Bytes())
			}
			return v
		},
	})
}

// ResealRecords replaces key, indexes and sealed fields of the records that are still sealed as was says, and
// says how many they were.
func (s *Store) ResealRecords(
	ctx context.Context, kind storage.SealedKind, was, now []storage.Sealed,
) (int, error) {
	t := tableOf(kind)
	replaced := 0
	err := s.aside(ctx, "reseal records", func(db DB) error {
		replaced = 0
		for i, v := range now {
			w := where{}
			set := []string{"key_id = " + w.place(v.KeyID)}
			for j, column := range t.indexes {
				set = append(set, column+" = "+w.place(v.Indexes[j]))
			}
			for j, column := range t.fields {
				set = append(set, column+" = "+w.place(v.Fields[j]))
			}
			w.add("id = ", was[i].ID)
			w.add("key_id = ", was[i].KeyID)
			w.add(t.fields[0]+" = ", was[i].Fields[0])
			n, err := db.Exec(ctx, "update "+t.table+" set "+strings.Join(set, ", ")+" where "+w.sql(), w.args)
			if err != nil {
				return err
			}
			replaced += int(n)
		}
		return nil
	})
	return replaced, err
}

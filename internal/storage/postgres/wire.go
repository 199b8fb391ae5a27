package postgres

import (
	"encoding/binary"
	"fmt"
	"math"

	"plexy/internal/storage/sqlstore"
)

// OIDs of PostgreSQL's own types, which never change.
const (
	oidBool  = 16
	oidBytes = 17
	oidInt8  = 20
	oidInt2  = 21
	oidText  = 25
	oidTid   = 27
)

// rows encodes an array of one composite type in PostgreSQL's binary form. Begin each row with next, then
// give its columns in the order of the type.
type rows struct {
	buf    []byte
	start  int // of the row under way; 0 when there is none
	fields uint32
	n      uint32
}

const arrayHeader = 20 // bytes before the first element: dimensions, nulls, type, length, lower bound

// reset begins an empty array in the memory of the last one.
func (r *rows) reset() *rows {
	*r = rows{buf: append(r.buf[:0], make([]byte, arrayHeader)...)}
	return r
}

func (r *rows) next() {
	r.finish()
	r.n++
	r.start, r.fields = len(r.buf), 0
	r.buf = append(r.buf, 0, 0, 0, 0, 0, 0, 0, 0)
}

// finish writes the size and the number of fields before the row under way.
func (r *rows) finish() {
	if r.start == 0 {
		return
	}
	binary.BigEndian.PutUint32(r.buf[r.start:], uint32(len(r.buf)-r.start-4))
	binary.BigEndian.PutUint32(r.buf[r.start+4:], r.fields)
	r.start = 0
}

func (r *rows) field(oid, size int) {
	r.fields++
	r.buf = binary.BigEndian.AppendUint32(r.buf, uint32(oid))
	r.buf = binary.BigEndian.AppendUint32(r.buf, uint32(size))
}

func (r *rows) text(values ...string) {
	for _, v := range values {
		r.field(oidText, len(v))
		r.buf = append(r.buf, v...)
	}
}

func (r *rows) int64(values ...int64) {
	for _, v := range values {
		r.field(oidInt8, 8)
		r.buf = binary.BigEndian.AppendUint64(r.buf, uint64(v))
	}
}

// small is a book, an HTTP status or a side: they fit by their meaning.
func (r *rows) small(v int64) {
	if v < math.MinInt16 || v > math.MaxInt16 {
		panic(fmt.Sprintf("postgres: %d does not fit a smallint", v))
	}
	r.field(oidInt2, 2)
	r.buf = binary.BigEndian.AppendUint16(r.buf, uint16(v))
}

func (r *rows) bool(v bool) {
	r.field(oidBool, 1)
	if v {
		r.buf = append(r.buf, 1)
	} else {
		r.buf = append(r.buf, 0)
	}
}

// values gives the columns of a row as sqlstore's Values functions list them.
func (r *rows) values(row []any) {
	for _, v := range row {
		switch v := v.(type) {
		case string:
			r.text(v)
		case int64:
			r.int64(v)
		case sqlstore.Small:
			r.small(int64(v))
		case bool:
			r.bool(v)
		default:
			panic(fmt.Sprintf("postgres: cannot send a %T", v))
		}
	}
}

func (r *rows) bytes(v []byte) {
	r.field(oidBytes, len(v))
	r.buf = append(r.buf, v...)
}

// param completes the array of the composite type with the given OID.
func (r *rows) param(oid uint32) []byte {
	r.finish()
	header(r.buf[:0], oid, r.n)
	return r.buf
}

func header(buf []byte, oid, n uint32) []byte {
	for _, v := range [...]uint32{1, 0, oid, n, 1} {
		buf = binary.BigEndian.AppendUint32(buf, v)
	}
	return buf
}

func textArray(values []string) []byte {
	size := arrayHeader
	for _, v := range values {
		size += 4 + len(v)
	}
	buf := header(make([]byte, 0, size), oidText, uint32(len(values)))
	for _, v := range values {
		buf = binary.BigEndian.AppendUint32(buf, uint32(len(v)))
		buf = append(buf, v...)
	}
	return buf
}

func int64Array(values []int64) []byte {
	buf := header(make([]byte, 0, arrayHeader+12*len(values)), oidInt8, uint32(len(values)))
	for _, v := range values {
		buf = binary.BigEndian.AppendUint32(buf, 8)
		buf = binary.BigEndian.AppendUint64(buf, uint64(v))
	}
	return buf
}

func smallArray(values []int64) []byte {
	buf := header(make([]byte, 0, arrayHeader+6*len(values)), oidInt2, uint32(len(values)))
	for _, v := range values {
		buf = binary.BigEndian.AppendUint32(buf, 2)
		buf = binary.BigEndian.AppendUint16(buf, uint16(v))
	}
	return buf
}

// placeArray takes the places of rows as they were read.
func placeArray(places [][]byte) []byte {
	buf := header(make([]byte, 0, arrayHeader+10*len(places)), oidTid, uint32(len(places)))
	for _, place := range places {
		buf = binary.BigEndian.AppendUint32(buf, uint32(len(place)))
		buf = append(buf, place...)
	}
	return buf
}

// line reads the columns of one row in binary form, from left to right. A column of another width than
// its reader expects is a programmer's mistake and panics.
type line struct {
	values [][]byte
	column int
}

func (l *line) next() []byte {
	l.column++
	return l.values[l.column-1]
}

// Int64 reads a smallint, an integer or a bigint.
func (l *line) Int64() int64 {
	switch v := l.next(); len(v) {
	case 2:
		return int64(int16(binary.BigEndian.Uint16(v)))
	case 4:
		return int64(int32(binary.BigEndian.Uint32(v)))
	case 8:
		return int64(binary.BigEndian.Uint64(v))
	default:
		panic(fmt.Sprintf("postgres: column %d has %d bytes, not an integer's", l.column, len(v)))
	}
}

// Text reads text.
func (l *line) Text() string { return string(l.next()) }

// Bytes reads bytes into memory of their own; empty bytes are nil.
func (l *line) Bytes() []byte { return append([]byte(nil), l.next()...) }

// Bool reads a truth value.
func (l *line) Bool() bool { return l.next()[0] != 0 }

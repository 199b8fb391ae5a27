package iso8583

import (
	"crypto/sha256"
	"encoding/binary"
	"strconv"
	"strings"
	"time"

	"plexy/internal/clock"
)

// Nothing is kept on disk, so whatever a request is found by at the acquirer follows from the operation's id
// and its time. A repeat, or an inquiry of another process after a crash, carries the same.

// digest turns an operation id into a number. part tells messages of one operation apart.
func digest(operation, part string) uint64 {
	sum := sha256.Sum256([]byte(part + ":" + operation))
	return binary.BigEndian.Uint64(sum[:8])
}

// stan is the system trace audit number, 000001 to 999999. Two operations may share one by chance: with the
// retrieval reference number and the second in field 7 they still differ.
func stan(operation, part string) string {
	text := strconv.FormatUint(1+digest(operation, part)%999_999, 10)
	return strings.Repeat("0", 6-len(text)) + text
}

// rrn is the retrieval reference number of an authorization and of all that follows it: 12 digits and capital
// letters, of which there are 36¹², some 62 bits.
func rrn(operation string) string {
	const values = 36 * 36 * 36 * 36 * 36 * 36 * 36 * 36 * 36 * 36 * 36 * 36
	text := strings.ToUpper(strconv.FormatUint(digest(operation, "rrn")%values, 36))
	return strings.Repeat("0", 12-len(text)) + text
}

// sentAt is field 7: MMDDhhmmss in UTC.
func sentAt(at int64) string { return clock.Time(at).Format("0102150405") }

// localTime and localDate are fields 12 and 13, in the acquirer's time zone.
func localTime(at int64, zone *time.Location) string { return clock.Time(at).In(zone).Format("150405") }

func localDate(at int64, zone *time.Location) string { return clock.Time(at).In(zone).Format("0102") }

package verify

import (
	"plexy/internal/core/journal"
	"plexy/internal/core/ledger"
)

// The hashes below tell apart what went wrong by accident; they guard against no adversary. Those of
// pieces are mixed so that sums of them do not cancel out by chance.

func mix(h, v uint64) uint64 {
	h ^= v + 0x9e3779b97f4a7c15 + h<<6 + h>>2
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}

func hashText(h uint64, s string) uint64 {
	const prime = 1099511628211
	f := uint64(14695981039346656037)
	for i := range len(s) {
		f = (f ^ uint64(s[i])) * prime
	}
	return mix(mix(h, uint64(len(s))), f)
}

func hashRunning(r ledger.Running) uint64 {
	return mix(mix(mix(1, uint64(r.Version)), uint64(r.Pending)), uint64(r.Posted))
}

// hashRef hashes the entry that gave an account its version; version 0 has none.
func hashRef(version int64, ref journal.Ref) uint64 {
	return mix(hashText(mix(2, uint64(version)), ref.Object), uint64(ref.Sequence))
}

package sqlite

import "plexy/internal/core/machine"

// coarse is a hash with four values.
func coarse(k machine.ReplyKey) uint64 { return hashKey(k) & 3 }

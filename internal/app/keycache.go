package app

import (
	"context"
	"sync"

	"plexy/internal/access"
	"plexy/internal/clock"
	"plexy/internal/storage"
)

const (
	// keyLife is how long a found key is believed, in microseconds: half of the second within which a
	// revoked key must be refused everywhere.
	keyLife = 500_000
	// keysAtMost bounds the memory of the cache; a full one is emptied.
	keysAtMost = 10_000
)

// keyCache remembers API keys that were found and live, for at most half a second, and forgets them all
// when another process has written to the database. A miss is never remembered, so that a created key
// works at once.
type keyCache struct {
	records storage.Records
	clock   clock.Clock
	// drops counts how often what was remembered of the database became void; nil counts nothing.
	drops func() uint64

	mu      sync.RWMutex
	entries map[access.Hash]cachedKey
}

type cachedKey struct {
	key   access.Key
	at    int64 // when its reading began, microseconds
	drops uint64
}

func newKeyCache(r storage.Records, c clock.Clock, drops func() uint64) *keyCache {
	if drops == nil {
		drops = func() uint64 { return 0 }
	}
	return &keyCache{records: r, clock: c, drops: drops, entries: map[access.Hash]cachedKey{}}
}

// KeyByHash returns the key with the hash, live or revoked; storage.ErrNotFound when there is none.
func (k *keyCache) KeyByHash(ctx context.Context, hash access.Hash) (access.Key, error) {
	now, drops := k.clock.Now(), k.drops()
	k.mu.RLock()
	found, ok := k.entries[hash]
	k.mu.RUnlock()
	// A clock that was set back must not make an entry live longer.
	if ok && found.drops == drops && now >= found.at && now-found.at < keyLife {
		return found.key, nil
	}
	key, err := k.records.KeyByHash(ctx, hash)
	k.mu.Lock()
	defer k.mu.Unlock()
	if err != nil || key.RevokedAt != 0 {
		delete(k.entries, hash)
		return key, err
	}
	if len(k.entries) >= keysAtMost {
		clear(k.entries)
	}
	k.entries[hash] = cachedKey{key, now, drops}
	return key, nil
}

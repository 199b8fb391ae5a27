package sim

// layer is a table as one batch sees it: what is kept, under what the batch means to write. It remembers
// what it read, so that a batch which decided on rows that somebody else changed meanwhile is found out.
type layer[K comparable, V comparable] struct {
	kept    map[K]V
	written map[K]V
	order   []K // keys of written, as they were first written
	read    map[K]V
}

func over[K, V comparable](kept map[K]V) layer[K, V] { return layer[K, V]{kept: kept} }

// get returns the row; the zero row stands for none.
func (l *layer[K, V]) get(k K) V {
	if v, ok := l.written[k]; ok {
		return v
	}
	v := l.kept[k]
	if l.read == nil {
		l.read = map[K]V{}
	}
	if _, again := l.read[k]; !again {
		l.read[k] = v
	}
	return v
}

// put writes the row.
func (l *layer[K, V]) put(k K, v V) {
	if l.written == nil {
		l.written = map[K]V{}
	}
	if _, again := l.written[k]; !again {
		l.order = append(l.order, k)
	}
	l.written[k] = v
}

// stale returns a key whose row is not what the batch read. With onlyWritten it looks at the rows that
// the batch wrote and no others.
func (l *layer[K, V]) stale(onlyWritten bool) (k K, found bool) {
	var none V
	for k, v := range l.read {
		if _, wrote := l.written[k]; (wrote || !onlyWritten) && l.kept[k] != v {
			return k, true
		}
	}
	for _, k := range l.order {
		if _, asked := l.read[k]; !asked && l.kept[k] != none {
			return k, true
		}
	}
	return k, false
}

// merge writes through. A zero row is removed.
func (l *layer[K, V]) merge() {
	var none V
	for _, k := range l.order {
		if v := l.written[k]; v == none {
			delete(l.kept, k)
		} else {
			l.kept[k] = v
		}
	}
}

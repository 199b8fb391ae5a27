package verify

import (
	"errors"
	"iter"
)

// stream gives the rows of a walk one by one.
type stream[T any] struct {
	next func() (T, bool)
	stop func()
	err  error // why the walk ended, once next has answered false
}

// pull turns a walk, which calls, into a stream, which is called. Both run in turn, never at once.
func pull[T any](walk func(func(T) error) error) *stream[T] {
	s := &stream[T]{}
	s.next, s.stop = iter.Pull(func(yield func(T) bool) {
		err := walk(func(row T) error {
			if !yield(row) {
				return errStopped
			}
			return nil
		})
		if !errors.Is(err, errStopped) {
			s.err = err
		}
	})
	return s
}

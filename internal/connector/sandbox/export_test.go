package sandbox

// Waiting is how many accounts wait to be written.
func (a *Acquirer) Waiting() int {
	a.books.mu.Lock()
	defer a.books.mu.Unlock()
	return len(a.books.waiting)
}

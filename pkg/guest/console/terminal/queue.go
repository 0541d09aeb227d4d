package terminal

import "sync"

// queueSize bounds what is typed ahead of a guest that doesn't read. So far the
// escape key is seen at once.
const queueSize = 1 << 20

// queue is what was typed and not sent yet.
type queue struct {
	mu     sync.Mutex
	change sync.Cond
	buf    []byte
	closed bool // nothing more comes
	failed bool // nothing more goes
}

func newQueue() *queue {
	q := &queue{}
	q.change.L = &q.mu
	return q
}

// put appends a copy of p, and waits while the queue is full.
func (q *queue) put(p []byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.buf) >= queueSize && !q.failed {
		q.change.Wait()
	}
	q.buf = append(q.buf, p...)
	q.change.Broadcast()
}

// take waits for input and returns all of it; nil is the end. The slice given to it,
// that of the call before, is used again.
func (q *queue) take(used []byte) []byte {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.buf) == 0 && !q.closed {
		q.change.Wait()
	}
	if len(q.buf) == 0 {
		return nil
	}
	p := q.buf
	q.buf = used[:0]
	q.change.Broadcast()
	return p
}

// close says that nothing more is put.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.change.Broadcast()
}

// fail lets put go on, whatever becomes of it.
func (q *queue) fail() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.failed = true
	q.change.Broadcast()
}

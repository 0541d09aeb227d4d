package monitor

import (
	"context"
	"fmt"
	"time"

	"github.com/sysct/sysct/pkg/guest/events"
)

const (
	// noteGrace is how long who is answered waits for an event to be written, so that who is
	// told that a guest runs finds that in the log. A disk that is slower isn't waited for.
	noteGrace = 20 * time.Millisecond
	// notePatience is how long another that writes is waited for.
	notePatience = 5 * time.Second
	// noteEnd is how long the monitor's own end waits for events.
	noteEnd = time.Second
	// maxNotes bounds what waits to be written.
	maxNotes = 64
)

// noteQueue are events on their way into the log, in the hands of one goroutine at a time.
type noteQueue struct {
	waiting []*events.Event
	busy    chan struct{} // closed when what is being written is; nil: nothing is
	waited  bool          // for that, before an answer
	lost    int64         // since the last that was written
	failed  bool          // and it was said
}

// note has an event written, and never fails or waits.
func (m *monitor) note(e events.Event) {
	n := &m.notes
	e.Guest, e.BootID = m.plan.Name, m.plan.BootID
	switch e.Kind {
	case events.OOM:
		e.Limit = m.plan.Limits.Memory
	case events.Pids:
		e.Limit = m.plan.Limits.Pids
	}
	if len(n.waiting) >= maxNotes {
		n.lost++
		return
	}
	n.waiting = append(n.waiting, &e)
	if n.busy != nil {
		return // who writes goes on with it
	}
	m.writeNotes()
}

// awaitNotes waits a moment for what is being written, before somebody is answered.
func (m *monitor) awaitNotes() {
	n := &m.notes
	if n.busy != nil && !n.waited {
		n.waited = true
		await(n.busy, noteGrace)
	}
}

// writeNotes writes what waits, beside the loop.
func (m *monitor) writeNotes() {
	n := &m.notes
	batch, done := n.waiting, make(chan struct{})
	n.waiting, n.busy, n.waited = nil, done, false
	batch[0].Lost, n.lost = n.lost, 0
	dir := m.plan.LogDir
	m.background(func() func() {
		ctx, cancel := context.WithTimeout(context.Background(), notePatience)
		err := events.Append(ctx, dir, events.DefaultSize, batch...)
		cancel()
		close(done)
		return func() { m.noted(batch, err) }
	})
}

// noted goes on after a write. What could not be written is counted, and told of once.
func (m *monitor) noted(batch []*events.Event, err error) {
	n := &m.notes
	n.busy = nil
	if err != nil {
		n.lost += batch[0].Lost + int64(len(batch))
		if !n.failed {
			m.log.say(fmt.Sprintf("%v: what happens isn't to be seen in sysct events", err))
		}
	}
	n.failed = err != nil
	if len(n.waiting) > 0 {
		m.writeNotes()
	}
}

// lastNotes waits a moment for what is being written.
func (m *monitor) lastNotes() {
	n := &m.notes
	if n.busy != nil {
		await(n.busy, noteEnd)
	}
	if len(n.waiting) > 0 {
		m.writeNotes()
		await(n.busy, noteEnd)
	}
}

func await(done <-chan struct{}, most time.Duration) {
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
}

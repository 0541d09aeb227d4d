package host

import (
	"context"
	"sync"
)

// machines has the guests that run known to systemd-machined. Each is registered when it
// boots, by what makes its scope; this is for those that machined wasn't there for.
type machines struct {
	*service
	once    sync.Once
	watch   sync.WaitGroup
	changed chan struct{}
}

func newMachines(s *service) *machines {
	return &machines{service: s, changed: make(chan struct{}, 1)}
}

func (m *machines) Name() string { return "machines" }

// Reconcile registers those that machined doesn't know, and begins to watch for the
// moments when that may be so.
func (m *machines) Reconcile(ctx context.Context) error {
	m.once.Do(func() { m.watch.Go(func() { m.Manager.WatchMachined(ctx, m.trigger) }) })
	return m.Manager.RegisterMachines(ctx)
}

func (m *machines) trigger() {
	select {
	case m.changed <- struct{}{}:
	default: // one turn is enough
	}
}

// Changed implements [Trigger].
func (m *machines) Changed() <-chan struct{} { return m.changed }

// Close leaves the registrations: the guests run on.
func (m *machines) Close(context.Context, bool) error {
	m.watch.Wait()
	return nil
}

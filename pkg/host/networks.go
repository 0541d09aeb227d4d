package host

import (
	"context"
	"sync"
	"time"
)

// How the networks are watched.
const (
	// lookEvery bounds how long something may lack that no event tells of: rules that
	// were flushed, a dnsmasq that died.
	lookEvery = 10 * time.Second
	// settleTime lets those finish who change much at once: a firewall that is loaded
	// anew, an administrator's script.
	settleTime = 100 * time.Millisecond
)

// networks has the networks up that guests need, and brings back what others take of them.
type networks struct {
	*service
	once    sync.Once
	watch   sync.WaitGroup
	changed chan struct{}
	events  chan struct{}
	failed  string // what was logged last: the same isn't said every time
}

func newNetworks(s *service) *networks {
	return &networks{service: s, changed: make(chan struct{}, 1), events: make(chan struct{}, 1)}
}

func (n *networks) Name() string { return "networks" }

// Prepare brings up what guests that start with the host are on: they are ordered after
// the service.
func (n *networks) Prepare(ctx context.Context) error {
	// A host without the programs has guests without networks: who is on one is told so
	// when it is started.
	return n.new(n.Manager.NetworksStart(ctx))
}

// Reconcile brings back what lacks, and begins to watch.
func (n *networks) Reconcile(ctx context.Context) error {
	n.once.Do(func() {
		n.watch.Go(func() { n.tick(ctx) })
		n.watch.Go(func() { n.listen(ctx) })
	})
	repaired, err := n.Manager.NetworkRepair(ctx)
	for _, line := range repaired {
		n.logf("repaired: %s", line)
	}
	return n.new(err)
}

// new is an error that isn't the one before.
func (n *networks) new(err error) error {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text == n.failed {
		return nil
	}
	n.failed = text
	return err
}

// tick asks for a turn every now and then, and after events.
func (n *networks) tick(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-n.events:
			pause(ctx, settleTime)
		case <-time.After(lookEvery):
		}
		n.trigger()
	}
}

// listen hears when the kernel says that something has gone.
func (n *networks) listen(ctx context.Context) {
	for ctx.Err() == nil {
		err := n.Manager.WatchNetworks(ctx, func() {
			select {
			case n.events <- struct{}{}:
			default: // the turn is still to come
			}
		})
		if ctx.Err() == nil {
			n.logError(n.Name(), err)
			pause(ctx, lookEvery)
		}
	}
}

func (n *networks) trigger() {
	select {
	case n.changed <- struct{}{}:
	default: // one turn is enough
	}
}

// Changed implements [Trigger].
func (n *networks) Changed() <-chan struct{} { return n.changed }

// Close leaves the networks up: guests run on, and the next start needs them.
func (n *networks) Close(context.Context, bool) error {
	n.watch.Wait()
	return nil
}

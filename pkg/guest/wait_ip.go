package guest

import (
	"context"
	"slices"
	"time"

	"github.com/sysct/sysct/pkg/guest/state"
	"github.com/sysct/sysct/pkg/vnet/within"
)

// waitEither waits for an address and for the rest of what is waited for at the same time.
// What comes first is the end of it; that one of them can't come any more isn't.
func (m *Manager) waitEither(ctx context.Context, name string, o WaitOptions) error {
	both, cancel := context.WithCancel(ctx)
	defer cancel()
	rest := o
	rest.IP = false
	results := make(chan error, 2)
	go func() { results <- m.waitIP(both, name, o) }()
	go func() { results <- m.waitAsking(both, name, rest) }()
	err := <-results
	if err == nil || <-results == nil {
		return nil
	}
	if ctx.Err() != nil {
		return waitEnded(ctx, o)
	}
	return err
}

// waitIP waits until a guest has an address. It is looked at again and again: the kernel
// tells of new addresses in one namespace, and a guest that reboots gets another.
func (m *Manager) waitIP(ctx context.Context, name string, o WaitOptions) error {
	for seen := o.Started; ; {
		run, err := m.readRun(name)
		if err != nil {
			return as(ErrBroken, err)
		}
		alive, err := m.populated(name)
		switch {
		case err != nil:
			return err
		case alive && run != nil && run.Pid > 0 && m.hasIP(ctx, name, run.Pid):
			return nil
		case alive || run != nil && run.State != state.Stopped && isMonitor(run.MonitorPid):
			seen = true
		case seen:
			return stateError("the guest has stopped")
		default:
			return m.noMonitor(name)
		}
		select {
		case <-ctx.Done():
			return waitEnded(ctx, o)
		case <-time.After(poll):
		}
	}
}

// hasIP says whether the guest whose init that is has an address that others can reach it by,
// be it one of a network that it shares.
func (m *Manager) hasIP(ctx context.Context, name string, pid int) bool {
	list := within.Read(ctx, 1, within.Addresses, func(int) (int, error) { return m.openNetwork(netInit{name: name, pid: pid}, 0) })
	if list[0].Err != nil {
		return false // it has just ended: the next look tells
	}
	return slices.ContainsFunc(newAddresses(list[0].Namespace.Addresses, nil), func(a Address) bool { return a.Usable() })
}

package guest

import (
	"context"

	"github.com/sysct/sysct/pkg/guest/monitor"
	"github.com/sysct/sysct/pkg/guest/spec"
	"github.com/sysct/sysct/pkg/vnet/space"
)

// liveNetwork is what a running guest's network would be by a configuration.
type liveNetwork struct {
	possible bool // the guest has a namespace of its own, and keeps it
	wanted   bool // a key of it has changed
	plan     space.Plan
	resolv   string // of its /etc/resolv.conf, from the next start on
	err      error  // why the host can't give it
}

// change is the network for a monitor's change; nil: it stays.
func (l *liveNetwork) change() *space.Plan {
	if !l.wanted {
		return nil
	}
	return &l.plan
}

func isNetwork(key string) bool {
	table := tableOf(key)
	return table == "net" || table == "publish"
}

// liveNetwork chooses the network that a configuration asks for. A guest that has the
// host's network, or shares another's, gets another only by a restart.
func (m *Manager) liveNetwork(ctx context.Context, running *monitor.Plan, cfg *spec.Guest) *liveNetwork {
	l := &liveNetwork{}
	if l.plan, l.err = m.networkKind(running.Name, cfg); l.err != nil {
		return l
	}
	if l.possible = l.plan.Private && running.Context.Net.Private; !l.possible {
		return l
	}
	id, err := m.identity(running.Name)
	if err != nil {
		l.err = err
		return l
	}
	next := &monitor.Plan{Name: running.Name}
	next.Context.Net = l.plan
	l.err = m.planNetwork(ctx, next, cfg, id)
	l.plan, l.resolv = next.Context.Net, next.Context.Resolv
	return l
}

package guest

import (
	"context"
	"reflect"

	"github.com/sysct/sysct/internal/systemd"
	"github.com/sysct/sysct/pkg/guest/monitor"
	"github.com/sysct/sysct/pkg/limits"
)

// Some limits are on the guest's scope itself, beside other guests' scopes. The monitor
// writes them; but systemd writes all that it knows of a scope whenever anybody has it set
// something there, so it has to know of a change, too.

// sharesOf are the limits that are on the scope.
func sharesOf(l *limits.Limits) systemd.Shares {
	return systemd.Shares{CPUWeight: l.CPUWeight, IOWeight: l.IO.Weight, MemoryMin: l.MemoryMin}
}

// tellShares has systemd know of a change that was made in a running guest. Without systemd's
// knowledge the change counts all the same, until somebody else has the scope changed.
func (m *Manager) tellShares(ctx context.Context, plan *monitor.Plan, from, to *limits.Limits) {
	if len(plan.ScopeCmd) == 0 || reflect.DeepEqual(sharesOf(from), sharesOf(to)) {
		return
	}
	// A verb that is interrupted has made its change already.
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), unitPatience)
	defer cancel()
	err := m.withSystemd(bounded, func(conn *systemd.Conn) error {
		return conn.SetShares(bounded, scopeName(plan.Name), sharesOf(to))
	})
	if err != nil {
		m.opt.Warn("systemd doesn't know of the change, and may take it back: " + oneLine(err))
	}
}

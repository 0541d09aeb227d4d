package guest

import (
	"context"
	"time"

	"github.com/sysct/sysct/internal/systemd"
)

// unready says whether systemd still waits for the guest's start.
func (m *Manager) unready(name string) bool {
	if !m.units {
		return false
	}
	boot, err := bootID()
	if err != nil {
		return false
	}
	run, err := m.readRunOf(name, boot)
	return err == nil && run != nil && !run.Ready
}

// forgivePatience bounds how long systemd may take to learn that a monitor has ended.
const forgivePatience = time.Minute

// forgive has systemd forget that the unit of a guest failed that was stopped before it was
// ready: to systemd a service that ends before it has said that it is up has failed, whoever
// wanted it so, and with it the host. A unit that is started again meanwhile is left alone.
func (m *Manager) forgive(ctx context.Context, name string) {
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), forgivePatience)
	defer cancel()
	// What can't be done leaves a failed unit, which the next start, or doctor, tells of.
	_ = m.withSystemd(bounded, func(conn *systemd.Conn) error {
		for {
			active, err := conn.ActiveState(bounded, UnitName(name))
			switch {
			case err != nil:
				return err
			case active == "failed":
				return conn.ResetFailed(bounded, UnitName(name))
			case active != "activating" && active != "deactivating":
				return nil
			}
			time.Sleep(poll)
		}
	})
}

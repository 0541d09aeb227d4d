package guest

import (
	"context"
	"errors"
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
const forgivePatience = 30 * time.Second

// invocation is which run of the guest's unit it is: "" if that can't be told.
func (m *Manager) invocation(ctx context.Context, name string) (id string) {
	_ = m.withSystemd(ctx, func(conn *systemd.Conn) (err error) {
		id, err = conn.Invocation(ctx, UnitName(name))
		return err
	})
	return id
}

// forgive has systemd forget that a run of a guest's unit failed that was stopped before it was
// ready: to systemd a service that ends before it has said that it is up has failed, whoever
// wanted it so, and with it the host. A unit that is started again meanwhile is left alone.
func (m *Manager) forgive(ctx context.Context, name, run string) {
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), forgivePatience)
	defer cancel()
	// What can't be done leaves a failed unit, which the next start, or doctor, tells of.
	_ = m.withSystemd(bounded, func(conn *systemd.Conn) error {
		for {
			active, err := conn.ActiveState(bounded, UnitName(name))
			now, ierr := conn.Invocation(bounded, UnitName(name))
			switch {
			case err != nil || ierr != nil:
				return errors.Join(err, ierr)
			case now != run || ctx.Err() != nil:
				return nil
			case active == "failed":
				return conn.ResetFailed(bounded, UnitName(name))
			case active != "activating" && active != "deactivating":
				return nil
			}
			time.Sleep(poll)
		}
	})
}

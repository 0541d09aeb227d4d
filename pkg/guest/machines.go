package guest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sysct/sysct/internal/systemd"
)

// RegisterMachines tells systemd-machined of the guests that run, where guests are units.
// It knows them already, unless it, or D-Bus, was away when they booted. That there is no
// machined is no error, nor is a guest whose name machined doesn't take.
func (m *Manager) RegisterMachines(ctx context.Context) error {
	if !m.units {
		return nil
	}
	running, err := m.leaders(ctx)
	if err != nil || len(running) == 0 {
		return err
	}
	conn, err := systemd.Open(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	var errs []error
	for name, pid := range running {
		if err := m.register(ctx, conn, name, pid); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

// leaders are the pids of the inits of the guests that run and can be registered.
func (m *Manager) leaders(ctx context.Context) (map[string]int, error) {
	names, err := m.Names()
	if err != nil {
		return nil, err
	}
	pids := map[string]int{}
	for _, name := range names {
		if !systemd.IsMachineName(name) {
			continue
		}
		// Without a monitor that answers it doesn't run, or is looked at the next time.
		if run, err := m.status(ctx, name); err == nil && run != nil && run.Pid != 0 {
			pids[name] = run.Pid
		}
	}
	return pids, nil
}

// busPause is how long a D-Bus that went away isn't looked for.
const busPause = 2 * time.Second

// WatchMachined calls changed whenever guests may have to be registered anew, because
// machined or D-Bus has come up, until ctx ends.
func (m *Manager) WatchMachined(ctx context.Context, changed func()) {
	for lost := false; m.units && ctx.Err() == nil; lost = true {
		if conn, err := systemd.Open(ctx); err == nil {
			if lost && !conn.Direct {
				changed()
			}
			// It ends with the connection, which is made anew, or with ctx.
			_ = conn.WatchMachined(ctx, changed)
			conn.Close()
		}
		select {
		case <-ctx.Done():
		case <-time.After(busPause):
		}
	}
}

package guest

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/sysct/sysct/pkg/guest/state"
)

// An ephemeral guest is destroyed by its monitor when it has stopped. What a crash
// of the monitor or of the host left of one is removed by gc.

// gcEphemeral destroys ephemeral guests that have booted and don't run.
func (m *Manager) gcEphemeral(ctx context.Context, dry bool) ([]string, error) {
	names, err := m.Names()
	if err != nil {
		return nil, err
	}
	var lines []string
	var errs []error
	for _, name := range names {
		if !m.left(ctx, name) {
			continue
		}
		gone := false
		done, err := m.unlessLocked(name, dry, func() error {
			if gone = m.left(ctx, name); !gone {
				return nil // it was started or destroyed meanwhile
			}
			if err := m.destroyHook(ctx, name); err != nil {
				m.opt.Warn(oneLine(err)) // nobody waits to mend it
			}
			err := m.remove(ctx, name)
			if err == nil {
				m.syncGone(ctx, name)
			}
			return err
		})
		errs = append(errs, err)
		if done && (gone || dry) {
			lines = append(lines, "ephemeral guest "+name)
		}
	}
	return lines, errors.Join(errs...)
}

// left says whether an ephemeral guest is what is left of a life. One whose configuration
// doesn't say any more that it is ephemeral, or can't be read, stays.
func (m *Manager) left(ctx context.Context, name string) bool {
	if _, err := os.Lstat(filepath.Join(m.dir(name), state.EphemeralMark)); err != nil {
		return false
	}
	cfg, err := m.config(name)
	if err != nil || !cfg.Ephemeral || m.alive(ctx, name) {
		return false
	}
	held, err := m.dirHeld(name)
	return err == nil && !held
}

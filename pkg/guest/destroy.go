package guest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/idledger"
	"github.com/sysct/sysct/pkg/guest/control"
	"github.com/sysct/sysct/pkg/guest/events"
	"github.com/sysct/sysct/pkg/guest/spec"
	"github.com/sysct/sysct/pkg/images/store"
)

// DestroyOptions say how a guest is destroyed.
type DestroyOptions struct {
	Force bool // a running guest is killed first
}

// removing is where a guest's directory is while it is removed.
func (m *Manager) removing(name string) string { return idledger.Removing(m.dir(name)) }

// Destroy removes a guest and everything of it but its logs' directory.
// ErrState if it runs, unless forced. It loses its name first, so that a destroy
// that is killed leaves no guest but a rest that gc removes.
func (m *Manager) Destroy(ctx context.Context, name string, o DestroyOptions) error {
	if err := m.check(name); err != nil {
		return err
	}
	lock, err := m.lock(ctx, name)
	if err != nil {
		return err
	}
	defer lock.Release()
	if err := m.check(name); err != nil {
		return err
	}
	if err := m.unprotected(name, spec.ProtectDelete); err != nil {
		return err
	}
	if err := m.mustBeStopped(ctx, name, o.Force); err != nil {
		return err
	}
	if err := m.settle(ctx, name); err != nil {
		m.opt.Warn("what it had under another name stays: " + oneLine(err))
	}
	if err := m.destroyHook(ctx, name); err != nil {
		return err
	}
	if err := m.remove(ctx, name); err != nil {
		return err
	}
	m.syncGone(ctx, name)
	return nil
}

// remove removes a stopped guest, whose lock is held.
func (m *Manager) remove(ctx context.Context, name string) error {
	return run([]step{
		{"remove groups", func() error { return m.removeGroups(name) }, nil},
		{"unmount rootfs", func() error { return m.unmount(name) }, nil},
		{"take name", func() error { return m.takeName(name) }, nil},
		{"remove directory", func() error { return m.removeTree(m.removing(name)) }, nil},
		{"remove layers", func() error { _, err := m.collectLayers(context.WithoutCancel(ctx), false); return err }, nil},
		{"free ids", func() error { return m.ledger.Free(context.WithoutCancel(ctx), m.dir(name)) }, nil},
		{"free addresses", func() error { return m.forgetNetworks(ctx, name) }, nil},
		{"remove run state", func() error { return m.removeRunDir(name) }, nil},
		{"remove logs", func() error { return m.removeLogs(name) }, nil},
		{"remove lock", func() error { return m.removeLock(name) }, nil},
		{"note it", func() error { m.happened(ctx, events.Event{Kind: events.Destroy, Guest: name}); return nil }, nil},
	})
}

// mustBeStopped: no process of the guest is left, and no monitor that would start
// it again. Forced, both are ended.
func (m *Manager) mustBeStopped(ctx context.Context, name string, force bool) error {
	for {
		populated, err := m.populated(name)
		if err != nil {
			return err
		}
		conn, err := m.dial(ctx, name)
		if err == nil {
			conn.Close()
		}
		monitored := !errors.Is(err, control.ErrNoMonitor)
		if !monitored {
			// Before anything is killed: it may be another run directory's guest.
			if err := m.unkept(ctx, name); err != nil && !(force && errors.Is(err, errUnreachable)) {
				return err
			}
		}
		switch {
		case !populated && !monitored:
			return nil
		case populated && !force:
			return stateError("it is running\nhint: sysct stop %s, or sysct destroy -f %s", name, name)
		case !force:
			// Its monitor cleans up after it, or is about to start it again.
			if err := m.ended(ctx, name); err != nil {
				return err
			}
		default:
			// A monitor that is just ending gives no answer. An ephemeral guest's leaves
			// it to us.
			if err := m.kill(ctx, name, true); err != nil && !errors.Is(err, ErrState) && !errors.Is(err, control.ErrLost) {
				return err
			}
			if err := m.ended(ctx, name); err != nil {
				return err
			}
		}
	}
}

// ended waits until the guest's monitor has gone, some seconds at most.
func (m *Manager) ended(ctx context.Context, name string) error {
	for deadline := time.Now().Add(keeperPatience); ; time.Sleep(poll) {
		conn, err := m.dial(ctx, name)
		if errors.Is(err, control.ErrNoMonitor) {
			return nil
		}
		if err == nil {
			conn.Close()
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if time.Now().After(deadline) {
			return stateError("its monitor is about to start it again\nhint: sysct stop -k %s, or sysct destroy -f %s", name, name)
		}
	}
}

func (m *Manager) removeGroups(name string) error {
	places, err := m.places(name)
	for _, p := range places {
		err = errors.Join(err, p.backend.Remove(p.base, p.group))
	}
	return err
}

// unmount fails while somebody on the host sits in rootfs/, before anything is
// lost. A guest without a readable state has nothing that could be mounted wrongly.
func (m *Manager) unmount(name string) error {
	return store.Unmount(store.Layout{Backend: guessBackend(m.dir(name)), GuestDir: m.dir(name)})
}

func (m *Manager) takeName(name string) error {
	gone := m.removing(name)
	if _, err := os.Lstat(gone); err == nil {
		if err := m.removeTree(gone); err != nil {
			return err
		}
	}
	if err := unix.Renameat2(unix.AT_FDCWD, m.dir(name), unix.AT_FDCWD, gone, unix.RENAME_NOREPLACE); err != nil {
		return fmt.Errorf("cannot take the guest's name: %w", err)
	}
	return syncDir(m.dirs.State)
}

// removeLock removes the lock that is held: who waits for it sees that it is no
// longer the file of that name, and makes it anew.
func (m *Manager) removeLock(name string) error {
	return os.Remove(filepath.Join(m.dirs.Run, ".lock", name))
}

func (m *Manager) removeLogs(name string) error {
	var errs []error
	for _, path := range m.logFiles(name) {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

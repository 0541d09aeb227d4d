package guest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/guest/control"
)

// A monitor holds a lock on its guest's directory for the guest's whole life, and
// the holder keeps it over the monitor's death. It tells what a run directory can't:
// that the guest is run from another one.

// keeperPatience is how long a dead monitor's successor may take to listen.
const keeperPatience = 5 * time.Second

// unkept says that no monitor keeps a guest, of which none answered.
func (m *Manager) unkept(ctx context.Context, name string) error {
	for deadline := time.Now().Add(keeperPatience); ; time.Sleep(poll) {
		held, err := m.dirHeld(name)
		if !held || err != nil {
			return err
		}
		conn, err := m.dial(ctx, name)
		if err == nil {
			conn.Close()
			return stateError("it is already running")
		}
		if !errors.Is(err, control.ErrNoMonitor) {
			return callError(err)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if time.Now().After(deadline) {
			if err := m.unreachable(name); err != nil {
				return err
			}
			return as(ErrLocked, errors.New("a monitor of another run directory keeps it\nhint: use the --run-dir or SYSCT_RUN_DIR that it was started with"))
		}
	}
}

// dirHeld says whether a monitor has the guest's directory.
func (m *Manager) dirHeld(name string) (bool, error) {
	fd, err := unix.Open(m.dir(name), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return false, fmt.Errorf("cannot open guest %s: %w", name, err)
	}
	defer unix.Close(fd)
	err = unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return true, nil
	}
	return false, err
}

package guest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/guest/control"
	"github.com/sysct/sysct/pkg/guest/monitor"
)

// errOldMonitor says that the guest's monitor executes a program from before plans could
// be changed.
var errOldMonitor = errors.New("its monitor is of an older sysct, which can't change a running guest")

// runningPlan is what the guest's monitor goes by. ErrState: it has none; errOldMonitor:
// it can't be asked.
func (m *Manager) runningPlan(ctx context.Context, name string) (*monitor.Plan, error) {
	fds, err := m.patiently(ctx, name, control.Request{Op: control.OpPlan})
	if err != nil {
		return nil, err
	}
	defer control.CloseAll(fds)
	if len(fds) != 1 {
		return nil, errors.New("its monitor didn't show its plan")
	}
	return monitor.ReadPlan(fds[0])
}

// change has the guest's monitor make a change, whole or not at all.
func (m *Manager) change(ctx context.Context, name string, c *monitor.Change) error {
	fd, err := monitor.WriteChange(c)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	fds, err := m.patiently(ctx, name, control.Request{Op: control.OpApply}, fd)
	control.CloseAll(fds)
	return err
}

// changePatience is how long a guest that is just starting, rebooting or stopping is
// waited for, and the successor of a monitor that died meanwhile.
const changePatience = 20 * time.Second

// patiently asks a guest's monitor for something that may be asked twice: of one that
// is busy, or that died before it answered, it is asked again.
func (m *Manager) patiently(ctx context.Context, name string, req control.Request, send ...int) ([]int, error) {
	for deadline := time.Now().Add(changePatience); ; time.Sleep(poll) {
		fds, err := m.callFDs(ctx, name, req, send)
		again := errors.Is(err, &control.Error{Kind: control.KindBusy}) || errors.Is(err, control.ErrLost) || m.betweenMonitors(name, err)
		if again && ctx.Err() == nil && time.Now().Before(deadline) {
			continue
		}
		if errors.Is(err, &control.Error{Kind: control.KindVersion}) {
			return nil, fmt.Errorf("%w\nhint: sysct upgrade %s, or restart it", errOldMonitor, name)
		}
		return fds, err
	}
}

// betweenMonitors says whether a monitor died, whose guest runs and gets another.
func (m *Manager) betweenMonitors(name string, err error) bool {
	return errors.Is(err, ErrState) && m.orphaned(name)
}

// callFDs is call with descriptors, both ways.
func (m *Manager) callFDs(ctx context.Context, name string, req control.Request, send []int) ([]int, error) {
	conn, err := m.reach(ctx, name)
	if errors.Is(err, control.ErrNoMonitor) {
		return nil, m.noMonitor(name)
	}
	if err != nil {
		return nil, callError(err)
	}
	defer conn.Close()
	ctx, done := m.whileHeard(ctx, name)
	defer done()
	var resp control.Response
	fds, err := conn.CallFDs(ctx, req, send, &resp)
	if err != nil {
		control.CloseAll(fds)
		return nil, heard(ctx, name, err)
	}
	return fds, nil
}

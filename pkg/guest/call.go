package guest

import (
	"context"
	"errors"
	"fmt"

	"github.com/sysct/sysct/pkg/guest/control"
)

// call sends one request to the guest's monitor. Its refusals become the
// errors that callers branch on; a guest without a monitor is not running.
func (m *Manager) call(ctx context.Context, name string, req control.Request) (*control.Response, error) {
	if err := m.check(name); err != nil {
		return nil, err
	}
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
	fds, err := conn.Call(ctx, req, &resp)
	control.CloseAll(fds)
	if err != nil {
		return nil, heard(ctx, name, err)
	}
	if resp.Note != "" {
		m.opt.Warn(resp.Note)
	}
	return &resp, nil
}

// noMonitor is the error for a guest that no monitor answers for.
func (m *Manager) noMonitor(name string) error {
	if populated, _ := m.populated(name); populated {
		if err := m.unreachable(name); err != nil {
			return err
		}
		return stateError("it runs, but its monitor does not\nhint: sysct stop -k %s, then start it again", name)
	}
	return stateError("it is not running")
}

func callError(err error) error {
	var refused *control.Error
	switch {
	case errors.Is(err, control.ErrTimeout):
		return as(ErrTimeout, errDeaf)
	case !errors.As(err, &refused):
		return err
	}
	switch refused.Kind {
	case control.KindState:
		return as(ErrState, err)
	case control.KindTimeout:
		return as(ErrTimeout, err)
	case control.KindBusy:
		return as(ErrLocked, err)
	case control.KindInvalid, control.KindAbsent:
		return as(ErrConfig, err)
	case control.KindVersion:
		return fmt.Errorf("its monitor is of another version: %w\nhint: sysct upgrade", err)
	}
	return err
}

package guest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sysct/sysct/pkg/guest/control"
	"github.com/sysct/sysct/pkg/guest/state"
)

// hold is a guest that holds still for a copy: stopped under its lock, or frozen by its
// monitor for as long as the connection lives.
type hold struct {
	m     *Manager
	conn  *control.Conn // nil: it is stopped
	since time.Time
}

// holdPatience is how long a guest that is on its way from one state to another is
// waited for.
const holdPatience = time.Minute

// errBusy is a monitor's refusal while another verb freezes or thaws the guest.
var errBusy = &control.Error{Kind: control.KindBusy}

// holdStill has a guest hold still, whose lock the caller has. Whatever becomes of the
// caller, it goes on afterwards; one that somebody has frozen stays frozen.
func (m *Manager) holdStill(ctx context.Context, name string) (*hold, error) {
	for deadline := time.Now().Add(holdPatience); ; {
		conn, err := m.dial(ctx, name)
		if errors.Is(err, control.ErrNoMonitor) {
			return &hold{m: m}, m.atRest(ctx, name)
		}
		if err != nil {
			return nil, callError(err)
		}
		since := time.Now()
		var resp control.Response
		fds, err := conn.Call(ctx, control.Request{Op: control.OpFreeze, Hold: true}, &resp)
		control.CloseAll(fds)
		if err == nil {
			return &hold{m: m, conn: conn, since: since}, nil
		}
		conn.Close()
		if !passing(err, &resp) || time.Now().After(deadline) {
			return nil, callError(err)
		}
		// It starts, stops or goes, or another verb freezes or thaws it: soon it runs, is frozen or is stopped.
		if errors.Is(err, errBusy) {
			time.Sleep(poll) // the state may be one of those that are waited for
		}
		left := time.Until(deadline)
		err = m.Wait(ctx, name, WaitOptions{States: []state.State{state.Running, state.Frozen, state.Stopped}, Timeout: &left})
		if err != nil && !errors.Is(err, ErrState) {
			return nil, err
		}
	}
}

// passing tells whether a refusal is of a state that doesn't last.
func passing(err error, resp *control.Response) bool {
	var refused *control.Error
	switch {
	case errors.Is(err, control.ErrLost), errors.Is(err, errBusy):
		return true
	case !errors.As(err, &refused) || refused.Kind != control.KindState || resp.Run == nil:
		return false
	}
	return resp.Run.State != state.Running && resp.Run.State != state.Frozen
}

// atRest says that a guest without a monitor is stopped.
func (m *Manager) atRest(ctx context.Context, name string) error {
	if err := m.unkept(ctx, name); err != nil {
		return err
	}
	if populated, err := m.populated(name); err != nil || populated {
		return errors.Join(err, m.noMonitor(name))
	}
	return nil
}

// running says whether the guest isn't stopped.
func (h *hold) running() bool { return h.conn != nil }

// letGo lets the guest go on and says for how long it held still. An error means that
// it did not, up to now: what was copied is worth nothing. A second call does nothing.
func (h *hold) letGo(ctx context.Context) (time.Duration, error) {
	if h == nil || h.conn == nil {
		return 0, nil
	}
	defer func() {
		h.conn.Close()
		h.conn = nil
	}()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), holdPatience)
	defer cancel()
	var resp control.Response
	fds, err := h.conn.Call(ctx, control.Request{Op: control.OpThaw, Hold: true}, &resp)
	control.CloseAll(fds)
	if err != nil {
		err = fmt.Errorf("it did not hold still while it was copied: %w", callError(err))
	}
	if errors.Is(err, control.ErrLost) {
		return 0, as(ErrState, err) // it has ended, or goes on without its monitor
	}
	if err != nil {
		return 0, err
	}
	return time.Since(h.since), nil
}

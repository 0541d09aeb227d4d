package guest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/sysct/sysct/pkg/guest/control"
	"github.com/sysct/sysct/pkg/guest/spec"
	"github.com/sysct/sysct/pkg/guest/state"
)

// WaitOptions say what to wait for: readiness, an address, or any of the states.
type WaitOptions struct {
	Ready   bool
	IP      bool // an IPv4 or IPv6 address by which others reach the guest
	States  []state.State
	Started bool           // the guest was started just now: without a monitor it has stopped since
	Timeout *time.Duration // nil: as long as ctx lasts; 0: it is looked once
}

// poll is how often a guest without a monitor is looked at.
const poll = 50 * time.Millisecond

// Wait waits until the guest is ready or in one of the states. ErrTimeout if it
// isn't in time, ErrState if it isn't started and no state is waited for.
func (m *Manager) Wait(ctx context.Context, name string, o WaitOptions) error {
	if err := m.check(name); err != nil {
		return err
	}
	if o.Timeout != nil {
		var cancel context.CancelFunc
		// A look takes its time even if no time is to be waited.
		ctx, cancel = context.WithTimeout(ctx, max(*o.Timeout, 100*time.Millisecond))
		defer cancel()
	}
	switch {
	case o.IP && (o.Ready || len(o.States) > 0):
		return m.waitEither(ctx, name, o)
	case o.IP:
		return m.waitIP(ctx, name, o)
	}
	return m.waitAsking(ctx, name, o)
}

// waitAsking asks the monitor, and the next one if that dies.
func (m *Manager) waitAsking(ctx context.Context, name string, o WaitOptions) error {
	for {
		done, err := m.waitOnce(ctx, name, o)
		if done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return waitEnded(ctx, o)
		case <-time.After(poll):
		}
	}
}

// waitOnce asks the monitor to say when it is so; without a monitor the guest is
// looked at once.
func (m *Manager) waitOnce(ctx context.Context, name string, o WaitOptions) (bool, error) {
	conn, err := m.dial(ctx, name)
	if errors.Is(err, control.ErrNoMonitor) {
		info := m.stored(name)
		if slices.Contains(o.States, state.Stopped) {
			populated, err := m.populated(name)
			return !populated && err == nil, err
		}
		switch {
		case len(o.States) > 0:
			return false, nil
		case info.Error != nil:
			return false, as(ErrBroken, errors.New(*info.Error))
		}
		if populated, _ := m.populated(name); o.Started && !populated {
			return false, stateError("the guest has stopped") // as its monitor would have said
		}
		return false, m.noMonitor(name)
	}
	if err != nil {
		return false, waitError(ctx, o, err)
	}
	defer conn.Close()
	heardOf, done := m.whileHeard(ctx, name)
	defer done()
	var resp control.Response
	fds, err := conn.Call(heardOf, control.Request{Op: control.OpWait, States: o.States, Ready: o.Ready}, &resp)
	control.CloseAll(fds)
	if errors.Is(err, control.ErrLost) {
		return false, nil // the monitor ended or was replaced: look again
	}
	if errors.Is(context.Cause(heardOf), errDeaf) {
		return false, deaf(name)
	}
	return err == nil, waitError(ctx, o, err)
}

func waitError(ctx context.Context, o WaitOptions, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return waitEnded(ctx, o)
	}
	return callError(err)
}

func waitEnded(ctx context.Context, o WaitOptions) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return as(ErrTimeout, errors.New(o.missed()+o.after()))
	}
	return ctx.Err()
}

// missed says what hasn't come.
func (o WaitOptions) missed() string {
	switch goal := o.goal(); {
	case !o.IP:
		return "it is not " + goal
	case goal == "":
		return "it has no IP address"
	default:
		return "it has no IP address and is not " + goal
	}
}

// goal is what is waited for beside an address, in words.
func (o WaitOptions) goal() string {
	var words []string
	if o.Ready {
		words = append(words, "ready")
	}
	for _, s := range o.States {
		words = append(words, string(s))
	}
	return strings.Join(words, " or ")
}

func (o WaitOptions) after() string {
	if o.Timeout == nil || *o.Timeout == 0 {
		return ""
	}
	return " after " + spec.Duration(*o.Timeout).String()
}

// Freeze stops every process of a guest where it is. ErrState if it isn't
// running; ErrTimeout if it can't be frozen in time, it runs on then. 0 is the
// default, ten seconds.
func (m *Manager) Freeze(ctx context.Context, name string, timeout time.Duration) error {
	return m.freezer(ctx, name, control.OpFreeze, timeout)
}

// Thaw lets a frozen guest run on.
func (m *Manager) Thaw(ctx context.Context, name string, timeout time.Duration) error {
	return m.freezer(ctx, name, control.OpThaw, timeout)
}

func (m *Manager) freezer(ctx context.Context, name string, op control.Op, timeout time.Duration) error {
	req := control.Request{Op: op}
	if timeout > 0 {
		req.SetTimeout(timeout)
	}
	_, err := m.call(ctx, name, req)
	if errors.Is(err, control.ErrLost) {
		return m.freezeAgain(ctx, name, req)
	}
	return err
}

// freezeAgain is for a monitor that went away before it answered: with its guest, or
// for a successor, to which it may have left the guest frozen or thawed as was asked.
func (m *Manager) freezeAgain(ctx context.Context, name string, req control.Request) error {
	err := error(control.ErrLost)
	for try := 0; errors.Is(err, control.ErrLost) && try < lostTries; try++ {
		time.Sleep(poll)
		_, err = m.call(ctx, name, req)
	}
	if !errors.Is(err, ErrState) {
		return err
	}
	info, ierr := m.Info(ctx, name)
	if ierr != nil || info.State == state.Stopped || (info.State == state.Frozen) != (req.Op == control.OpFreeze) {
		return err
	}
	return nil
}

package guest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/guest/control"
	"github.com/sysct/sysct/pkg/guest/events"
	"github.com/sysct/sysct/pkg/guest/state"
	"github.com/sysct/sysct/pkg/limits"
)

// StopOptions say how a guest is stopped.
type StopOptions struct {
	Timeout *time.Duration // for its own shutdown; nil: the configuration's
	NoKill  bool           // fail when the time is over instead of killing it
	Kill    bool           // kill it at once
	NoWait  bool           // return when it has been told to

	again bool // it is to be started again: an ephemeral guest isn't destroyed
}

// Stop ends a guest: by its own shutdown, then, when the time is over, by a
// kill. ErrState if it isn't running, ErrTimeout with NoKill.
func (m *Manager) Stop(ctx context.Context, name string, o StopOptions) error {
	if err := m.check(name); err != nil {
		return err
	}
	run := ""
	if !o.NoWait && m.unready(name) {
		run = m.invocation(ctx, name)
	}
	err := m.stop(ctx, name, o)
	if run != "" && err == nil {
		m.forgive(ctx, name, run)
	}
	return err
}

func (m *Manager) stop(ctx context.Context, name string, o StopOptions) error {
	if o.Kill {
		return m.kill(ctx, name, o.again)
	}
	req := control.Request{Op: control.OpStop, NoKill: o.NoKill, NoWait: o.NoWait, Keep: o.again}
	if o.Timeout != nil {
		req.SetTimeout(*o.Timeout)
	}
	_, err := m.call(ctx, name, req)
	if errors.Is(err, control.ErrLost) {
		return m.stopAgain(ctx, name, req)
	}
	return err
}

// stopAgain is for a monitor that went away before it answered: the guest has ended
// with it, or its successor is asked.
func (m *Manager) stopAgain(ctx context.Context, name string, req control.Request) error {
	for deadline := time.Now().Add(keeperPatience); ; time.Sleep(poll) {
		// Asked first, and looked at then: between two boots a guest has no process
		// either, and its successor would boot it again.
		_, err := m.call(ctx, name, req)
		if errors.Is(err, ErrState) {
			if populated, perr := m.populated(name); perr != nil || !populated {
				return perr
			}
		}
		passing := errors.Is(err, control.ErrLost) || errors.Is(err, ErrState)
		if !passing || ctx.Err() != nil || time.Now().After(deadline) {
			return err
		}
	}
}

// Restart stops a guest and starts it again, with the configuration as it is now:
// one that is wrong is refused before anything is stopped. ErrState if it isn't running.
func (m *Manager) Restart(ctx context.Context, name string, o StopOptions) error {
	if err := m.check(name); err != nil {
		return err
	}
	if _, err := m.monitorPlan(name); err != nil {
		return err
	}
	o.again = true
	err := m.Stop(ctx, name, o)
	if populated, look := m.populated(name); errors.Is(err, ErrState) && !populated && look == nil {
		return fmt.Errorf("%w\nhint: sysct start %s", err, name)
	}
	if err != nil {
		return err
	}
	return m.Start(ctx, name, StartOptions{})
}

// Kill sends a signal to the guest's init; SIGKILL ends all of its processes. If the
// monitor dies meanwhile, init may get the signal twice.
func (m *Manager) Kill(ctx context.Context, name string, sig unix.Signal) error {
	if sig == unix.SIGKILL {
		if err := m.check(name); err != nil {
			return err
		}
		return m.kill(ctx, name, false)
	}
	request := control.Request{Op: control.OpKill, Signal: int(sig)}
	_, err := m.call(ctx, name, request)
	for try := 0; errors.Is(err, control.ErrLost) && try < lostTries; try++ {
		time.Sleep(poll)
		_, err = m.call(ctx, name, request)
	}
	return err
}

// monitorPatience is how long a monitor may take to note that its guest was killed.
const monitorPatience = 2 * time.Second

// kill ends a guest without asking it. The monitor is asked first, so that it
// knows whose doing it is; one that doesn't answer (stopped, hanging) or doesn't
// live can't prevent it: the group is killed here.
func (m *Manager) kill(ctx context.Context, name string, again bool) error {
	bounded, cancel := context.WithTimeout(ctx, monitorPatience)
	defer cancel()
	request := control.Request{Op: control.OpKill, Signal: int(unix.SIGKILL), Keep: again}
	_, err := m.call(bounded, name, request)
	// A monitor that went away before it answered has ended with its guest, or has a successor.
	lost := errors.Is(err, control.ErrLost)
	for try := 0; errors.Is(err, control.ErrLost) && try < lostTries; try++ {
		time.Sleep(poll)
		_, err = m.call(bounded, name, request)
	}
	if err == nil {
		return m.waitStopped(ctx, name)
	}
	silent := errors.Is(err, ErrTimeout)
	populated, perr := m.populated(name)
	if perr != nil {
		return errors.Join(err, perr)
	}
	if !populated && lost {
		return m.waitStopped(ctx, name)
	}
	if !populated && !silent {
		return err
	}
	if populated && !silent {
		err := m.unkept(ctx, name)
		silent = errors.Is(err, errUnreachable)
		if err != nil && !silent {
			return err
		}
	}
	if populated {
		if err := m.withGroup(name, func(g limits.Group) error { return killAll(ctx, g) }); err != nil {
			return err
		}
	}
	if populated && !silent { // no monitor is there to tell of it
		m.happened(ctx, events.Event{Kind: events.Stop, Guest: name, Reason: state.ReasonKilled})
	}
	if !silent {
		return nil
	}
	if err := m.killDeaf(name); err != nil {
		return err
	}
	return m.waitStopped(ctx, name)
}

func killAll(ctx context.Context, g limits.Group) error {
	if err := g.Kill(); err != nil {
		return err
	}
	return emptied(ctx, g)
}

// waitStopped waits until the monitor has cleaned up after a kill.
func (m *Manager) waitStopped(ctx context.Context, name string) error {
	err := m.Wait(ctx, name, WaitOptions{States: []state.State{state.Stopped}})
	if errors.Is(err, ErrState) || errors.Is(err, ErrNoGuest) { // an ephemeral guest has gone
		return nil
	}
	return err
}

// emptied waits until no process is left in the group, ten seconds at most.
func emptied(ctx context.Context, g limits.Group) error {
	deadline := time.Now().Add(10 * time.Second)
	for {
		populated, _, err := g.Events()
		if err != nil || !populated {
			return err
		}
		if ctx.Err() != nil || time.Now().After(deadline) {
			return as(ErrTimeout, fmt.Errorf("its processes are still there after SIGKILL"))
		}
		fds := []unix.PollFd{{Fd: int32(g.EventsFD()), Events: unix.POLLPRI}}
		unix.Poll(fds, 10) // notifications may lag: look again
	}
}

// populated says whether any process of the guest is left.
func (m *Manager) populated(name string) (bool, error) {
	populated := false
	err := m.withGroup(name, func(g limits.Group) (err error) {
		populated, _, err = g.Events()
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return populated, err
}

// withGroup opens the guest's groups for a moment.
func (m *Manager) withGroup(name string, do func(limits.Group) error) error {
	g, err := m.openGroup(name)
	if err != nil {
		return err
	}
	defer g.Close()
	return do(g)
}

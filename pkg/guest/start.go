package guest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sysct/sysct/internal/flock"
	"github.com/sysct/sysct/pkg/guest/control"
	"github.com/sysct/sysct/pkg/guest/monitor"
	"github.com/sysct/sysct/pkg/guest/state"
	"github.com/sysct/sysct/pkg/hooks"
)

// StartOptions say how a guest is started.
type StartOptions struct {
	// Early returns when its init runs also where systemd starts it, whose job is done when
	// the guest is ready.
	Early bool
	// Patience is how long systemd's job is waited for, which goes on after that: ErrTimeout;
	// nil: as long as it takes.
	Patience *time.Duration
}

// endingPause is the pause between looks at a monitor that is about to end.
const endingPause = 5 * time.Millisecond

// Start starts a guest and returns when its init has been executed. ErrState if
// it runs, ErrConfig if its configuration is wrong, *StartError if it could not
// be started. Where guests are units it is systemd's job, and returns when the guest is
// ready.
func (m *Manager) Start(ctx context.Context, name string, o StartOptions) error {
	if err := m.check(name); err != nil {
		return err
	}
	if m.units {
		return m.startUnit(ctx, name, o)
	}
	var early *earlyMonitor
	lock, plan, err := m.prepareStart(ctx, name, func() (err error) {
		early, err = m.askMonitor(ctx, name)
		return err
	})
	if err != nil {
		early.close()
		return err
	}
	defer lock.Release()
	defer func() { early.close() }()
	for deadline := time.Now().Add(lockPatience); ; {
		err = early.wait()
		if !errors.Is(err, &control.Error{Kind: control.KindState}) || time.Now().After(deadline) {
			break
		}
		// The monitor before is there still: it is about to end, or was ordered by a
		// start that was given up and hasn't come up yet. Or it comes up anew.
		early.close()
		time.Sleep(endingPause)
		if plan.Recover, err = m.startable(ctx, name); err != nil {
			return err
		}
		if early, err = m.askMonitor(ctx, name); err != nil {
			return err
		}
	}
	if err != nil {
		return callError(err)
	}
	err = m.begin(ctx, early, plan)
	if err == nil && plan.Recover {
		m.opt.Warn("it ran without anybody who kept it, and was ended before: its monitor and the holder had died together")
	}
	return err
}

// prepareStart takes the guest's lock, which the caller releases, and says how the guest is
// to be started, and whether it can be. meanwhile is begun before that is found out; nil:
// nothing.
func (m *Manager) prepareStart(ctx context.Context, name string, meanwhile func() error) (_ *flock.Lock, plan *monitor.Plan, err error) {
	lock, err := m.lock(ctx, name)
	if err != nil {
		return nil, nil, err
	}
	if err = privateDir(m.dirs.Log); err == nil {
		err = m.settle(ctx, name)
	}
	if err == nil && meanwhile != nil {
		err = meanwhile()
	}
	if err == nil {
		plan, err = m.startPlan(ctx, name)
	}
	if err != nil {
		lock.Release()
		return nil, nil, err
	}
	return lock, plan, nil
}

// startPlan says how the guest is to be started, and whether it can be.
func (m *Manager) startPlan(ctx context.Context, name string) (*monitor.Plan, error) {
	id, err := m.identity(name)
	if err != nil {
		return nil, err
	}
	cfg, err := m.config(name)
	if err != nil {
		return nil, err
	}
	plan, err := m.planOf(name, cfg, id)
	if err != nil {
		return nil, err
	}
	if err := m.planNetwork(ctx, plan, cfg, id); err != nil {
		return nil, err
	}
	m.warnOfPublished(nil, cfg)
	if err := m.leaveNetworks(ctx, &plan.Context.Net, name); err != nil {
		return nil, err
	}
	if plan.Recover, err = m.startable(ctx, name); err != nil {
		return nil, err
	}
	if err := m.widen(ctx, plan); err != nil {
		return nil, err
	}
	if plan.Context.IDs.Host() {
		m.opt.Warn(privilegedWarning)
		return plan, nil // the ledger has ranges, and no guest's range is in use by this one
	}
	return plan, as(ErrBroken, m.ledger.Claim(ctx, m.dir(name), plan.Context.IDs.Base, plan.Context.IDs.Size))
}

// startable says whether the guest may be started, and whether processes of an
// earlier life, that no monitor keeps, have to be ended first.
func (m *Manager) startable(ctx context.Context, name string) (bool, error) {
	run, err := m.status(ctx, name)
	for quiet := (silence{}); errors.Is(err, control.ErrTimeout) && ctx.Err() == nil; {
		if pid, known := m.keeper(name); !quiet.lasts(pid, known, time.Now()) {
			break
		}
		run, err = m.status(ctx, name)
	}
	switch {
	case errors.Is(err, control.ErrNoMonitor):
		if err := m.unkept(ctx, name); err != nil {
			return false, err
		}
		if err := m.elsewhere(name); err != nil {
			return false, err
		}
		return m.populated(name)
	case errors.Is(err, control.ErrTimeout):
		return false, as(ErrLocked, fmt.Errorf("%w\n%s", errDeaf, deafHint(name)))
	case errors.Is(err, control.ErrLost):
		return false, m.waitGone(ctx, name)
	case err != nil:
		return false, callError(err)
	case run != nil && run.Pid == 0 && (run.State == state.Stopped || run.State == state.Stopping):
		return false, m.waitGone(ctx, name) // it cleans up and goes
	case run != nil && run.State == state.Starting:
		return false, stateError("it is STARTING already\nhint: sysct logs %s says what it waits for", name)
	case run != nil && run.State == state.Stopping:
		return false, stateError("it is stopping\nhint: sysct wait %s STOPPED", name)
	}
	return false, stateError("it is already running")
}

// waitGone waits until a monitor that is ending has gone.
func (m *Manager) waitGone(ctx context.Context, name string) error {
	return m.Wait(ctx, name, WaitOptions{States: []state.State{state.Stopped}})
}

// startedBySuccessor waits for what becomes of a guest whose monitor died in the
// middle of its start: the holder starts another, which goes on or cleans up.
func (m *Manager) startedBySuccessor(ctx context.Context, plan *monitor.Plan) error {
	name, h := plan.Name, &plan.Context.Hooks
	patience := 30*time.Second + h.Most(hooks.PreStart, hooks.PreMount, hooks.Mount, hooks.Autodev, hooks.StartHost, hooks.Start, hooks.PostStop)
	err := m.Wait(ctx, name, WaitOptions{States: []state.State{state.Running, state.Stopped}, Timeout: &patience})
	if err != nil {
		return err
	}
	if run, err := m.status(ctx, name); err == nil && run != nil && run.State == state.Running {
		return nil
	}
	return fmt.Errorf("its monitor died while it started; the log says more\nhint: sysct logs %s", name)
}

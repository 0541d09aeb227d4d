package guest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/sysct/sysct/pkg/guest/control"
	"github.com/sysct/sysct/pkg/guest/holder"
	"github.com/sysct/sysct/pkg/guest/monitor"
	"github.com/sysct/sysct/pkg/guest/spec"
	"github.com/sysct/sysct/pkg/guest/state"
)

// StartOptions say how a guest is started.
type StartOptions struct{}

// Start starts a guest and returns when its init has been executed. ErrState if
// it runs, ErrConfig if its configuration is wrong, *StartError if it could not
// be started.
func (m *Manager) Start(ctx context.Context, name string, _ StartOptions) error {
	if err := m.check(name); err != nil {
		return err
	}
	lock, err := m.lock(ctx, name)
	if err != nil {
		return err
	}
	defer lock.Release()
	if err := m.unprotected(name, spec.ProtectStart); err != nil {
		return err
	}
	plan, err := m.monitorPlan(name)
	if err != nil {
		return err
	}
	if plan.Recover, err = m.startable(ctx, name); err != nil {
		return err
	}
	if err := m.claim(ctx, name, plan.Context.IDs); err != nil {
		return as(ErrBroken, err)
	}
	if err := privateDir(m.dirs.Log); err != nil {
		return err
	}
	return m.startMonitor(ctx, plan)
}

// startable says whether the guest may be started, and whether processes of an
// earlier life, that no monitor keeps, have to be ended first.
func (m *Manager) startable(ctx context.Context, name string) (bool, error) {
	run, err := m.status(ctx, name)
	switch {
	case errors.Is(err, control.ErrNoMonitor):
		if err := m.unkept(ctx, name); err != nil {
			return false, err
		}
		return m.populated(name)
	case errors.Is(err, control.ErrTimeout):
		return false, as(ErrLocked, fmt.Errorf("its monitor does not answer\nhint: sysct stop -k %s", name))
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

// startMonitor has the holder start the guest's monitor, and waits for its report.
func (m *Manager) startMonitor(ctx context.Context, plan *monitor.Plan) error {
	helper, err := m.helper()
	if err != nil {
		return err
	}
	memfd, err := plan.Memfd()
	if err != nil {
		return err
	}
	defer memfd.Close()
	r, w, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("cannot start monitor: %w", err)
	}
	defer r.Close()
	cfg := holder.Config{RunDir: m.dirs.Run, LogDir: m.dirs.Log, Base: m.base(), Helper: helper}
	_, err = holder.Start(ctx, cfg, plan.Name, memfd, w)
	w.Close()
	if err != nil {
		return callError(err)
	}
	stop := context.AfterFunc(ctx, func() { r.Close() })
	defer stop()
	report, err := monitor.ReadReport(r)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return m.startedBySuccessor(ctx, plan.Name)
	}
	if err != nil {
		return err
	}
	for _, warning := range report.Warnings {
		m.opt.Warn(warning)
	}
	if report.Error != nil {
		return startFailure(report.Error)
	}
	return nil
}

// startedBySuccessor waits for what becomes of a guest whose monitor died in the
// middle of its start: the holder starts another, which goes on or cleans up.
func (m *Manager) startedBySuccessor(ctx context.Context, name string) error {
	patience := 30 * time.Second
	err := m.Wait(ctx, name, WaitOptions{States: []state.State{state.Running, state.Stopped}, Timeout: &patience})
	if err != nil {
		return err
	}
	if run, err := m.status(ctx, name); err == nil && run != nil && run.State == state.Running {
		return nil
	}
	return fmt.Errorf("its monitor died while it started; the log says more\nhint: sysct logs %s", name)
}

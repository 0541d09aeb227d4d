package guest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/guest/control"
	"github.com/sysct/sysct/pkg/guest/holder"
	"github.com/sysct/sysct/pkg/guest/state"
)

// Upgraded is what became of one guest's monitor.
type Upgraded struct {
	Name     string
	From, To string // versions; "": of a program that doesn't know its own
	Current  bool   // it ran the newest program already
	Replaced bool   // it was too old to execute another program in place: another process took over
}

// Upgrader brings monitors to the helper program of this build. Guests run on.
type Upgrader struct {
	m       *Manager
	helper  string
	program *os.File
	version string
}

// upgradePatience bounds the upgrade of one process.
const upgradePatience = 2 * time.Minute

// NewUpgrader tries the helper program, and upgrades the instance's holder, if it has
// one: a monitor that dies later is started again with the new program.
func (m *Manager) NewUpgrader(ctx context.Context) (*Upgrader, error) {
	helper, err := m.helper()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, upgradePatience)
	defer cancel()
	out, err := exec.CommandContext(ctx, helper, "check").Output()
	if err != nil {
		return nil, fmt.Errorf("cannot use the new helper %s: %w", helper, err)
	}
	program, err := os.Open(helper)
	if err != nil {
		return nil, fmt.Errorf("cannot open the new helper: %w", err)
	}
	u := &Upgrader{m: m, helper: helper, program: program, version: strings.TrimSpace(string(out))}
	if err := u.holder(ctx); err != nil {
		program.Close()
		return nil, err
	}
	return u, nil
}

// Close ends the upgrades.
func (u *Upgrader) Close() error { return u.program.Close() }

// Running lists the guests that have a monitor, sorted.
func (u *Upgrader) Running(ctx context.Context) ([]string, error) {
	names, err := u.m.Names()
	if err != nil {
		return nil, err
	}
	var running []string
	for _, name := range names {
		conn, err := u.m.dial(ctx, name)
		if errors.Is(err, control.ErrNoMonitor) && u.m.unreachable(name) == nil {
			continue
		}
		if err == nil {
			conn.Close()
		}
		running = append(running, name)
	}
	return running, nil
}

// holder upgrades the process that keeps the monitors.
func (u *Upgrader) holder(ctx context.Context) error {
	cfg := holder.Config{RunDir: u.m.dirs.Run, LogDir: u.m.dirs.Log, Base: u.m.base(), Helper: u.helper}
	old, err := holder.Find(ctx, cfg)
	if errors.Is(err, holder.ErrNone) {
		return nil
	}
	if err != nil || u.runs(old.Pid) {
		return err
	}
	_, err = holder.Upgrade(ctx, cfg, old, u.program)
	return err
}

// runs says whether a process executes the new program, be it another copy of it.
func (u *Upgrader) runs(pid int) bool {
	exe := "/proc/" + strconv.Itoa(pid) + "/exe"
	now, err := os.Stat(exe)
	mine, err2 := u.program.Stat()
	switch {
	case err != nil || err2 != nil:
		return false
	case os.SameFile(now, mine):
		return true
	case now.Size() != mine.Size():
		return false
	}
	theirs, err := os.ReadFile(exe)
	ours, err2 := os.ReadFile(u.helper)
	return err == nil && err2 == nil && bytes.Equal(theirs, ours)
}

// Upgrade has a guest's monitor execute the new program in place, when nothing is under
// way there. ErrState: it has no monitor; ErrLocked: it was starting, stopping or being
// copied for too long.
func (u *Upgrader) Upgrade(ctx context.Context, name string) (*Upgraded, error) {
	if err := u.m.check(name); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, upgradePatience)
	defer cancel()
	conn, err := u.m.reach(ctx, name)
	if errors.Is(err, control.ErrNoMonitor) {
		return nil, u.m.noMonitor(name)
	}
	if err != nil {
		return nil, callError(err)
	}
	defer conn.Close()
	run, version, err := u.ask(ctx, name)
	if err != nil {
		return nil, err
	}
	done := &Upgraded{Name: name, From: version, To: u.version, Current: u.runs(run.MonitorPid)}
	if done.Current {
		return done, nil
	}
	return done, u.upgrade(ctx, conn, done, run.MonitorPid)
}

func (u *Upgrader) upgrade(ctx context.Context, conn *control.Conn, done *Upgraded, pid int) error {
	var resp control.Response
	_, err := conn.CallFDs(ctx, control.Request{Op: control.OpUpgrade, Helper: u.helper}, []int{int(u.program.Fd())}, &resp)
	var refused *control.Error
	switch {
	case err == nil && u.runs(resp.Pid):
		done.To = resp.Program
		return nil
	case err == nil:
		return fmt.Errorf("process %d doesn't execute %s", resp.Pid, u.helper)
	case errors.As(err, &refused) && refused.Kind == control.KindVersion:
		done.Replaced = true
		return u.replace(ctx, done, pid)
	case errors.Is(err, control.ErrLost):
		// It died in it, or the guest's end came first.
		return u.await(ctx, done)
	case errors.Is(err, control.ErrTimeout):
		return deaf(done.Name)
	}
	return callError(err)
}

// replace ends a monitor that can't be upgraded in place: its manager starts the new
// program, which takes over. A guest that isn't at rest is left alone.
func (u *Upgrader) replace(ctx context.Context, done *Upgraded, pid int) error {
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return fmt.Errorf("cannot open monitor: %w", err)
	}
	defer unix.Close(pidfd)
	run, _, err := u.ask(ctx, done.Name)
	if err != nil {
		return err
	}
	if run.MonitorPid != pid || run.State != state.Running && run.State != state.Frozen {
		return as(ErrLocked, fmt.Errorf("it is %s just now", run.State))
	}
	if err := unix.PidfdSendSignal(pidfd, unix.SIGKILL, nil, 0); err != nil {
		return fmt.Errorf("cannot replace monitor: %w", err)
	}
	return u.await(ctx, done)
}

// await waits until another program has taken the guest over.
func (u *Upgrader) await(ctx context.Context, done *Upgraded) error {
	for {
		run, version, err := u.ask(ctx, done.Name)
		switch {
		case err == nil && u.runs(run.MonitorPid):
			done.To = version
			return nil
		case errors.Is(err, ErrState):
			return err
		case ctx.Err() != nil:
			return as(ErrTimeout, fmt.Errorf("no monitor of version %s has taken over", u.version))
		}
		time.Sleep(poll)
	}
}

// ask gives the monitor's facts, and the version of its program.
func (u *Upgrader) ask(ctx context.Context, name string) (*state.Run, string, error) {
	resp, err := u.m.call(ctx, name, control.Request{Op: control.OpStatus})
	if err != nil {
		return nil, "", err
	}
	return resp.Run, resp.Program, nil
}

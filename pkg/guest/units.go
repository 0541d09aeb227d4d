package guest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/systemd"
	"github.com/sysct/sysct/pkg/guest/state"
)

// On a host that systemd runs, a guest of the default instance is two units: its monitor,
// sysct@NAME.service, and the scope with its processes, which the monitor's death leaves
// alone:
//
//	sysct start web ──D-Bus──▶ systemd ──▶ sysct@web.service: sysct __monitor web
//	                                          plans, then executes sysct-helper monitor web
//	                                            └─ sysct __scope web ──D-Bus──▶ systemd
//	                                                 sysct-web.scope, the guest is cloned into it

const (
	guestSlice = "machine.slice"
	unitFile   = "sysct@.service"
)

// UnitName is the unit of a guest's monitor.
func UnitName(name string) string { return "sysct@" + name + ".service" }

// scopeName is the unit that the guest's processes are in.
func scopeName(name string) string { return "sysct-" + name + ".scope" }

// unitDirs are where the unit may be installed (systemd.unit(5)).
func unitDirs() []string {
	return []string{"/usr/lib/systemd/system", "/etc/systemd/system", "/usr/local/lib/systemd/system", "/run/systemd/system", "/lib/systemd/system"}
}

// unitsUsed says whether guests are units here: systemd is init, rules a tree of v2 alone,
// and knows sysct's units.
func unitsUsed() bool {
	var fs unix.Statfs_t
	if !systemd.Running() || unix.Statfs("/sys/fs/cgroup", &fs) != nil || fs.Type != unix.CGROUP2_SUPER_MAGIC {
		return false
	}
	for _, dir := range unitDirs() {
		if _, err := os.Stat(filepath.Join(dir, unitFile)); err == nil {
			return true
		}
	}
	return false
}

// Units says whether the instance's guests are units of systemd.
func (m *Manager) Units() bool { return m.units }

// scopeCommand is what makes the guest's scope; nil if there is none to be made.
func (m *Manager) scopeCommand(name string) []string {
	if !m.units {
		return nil
	}
	exe, err := os.Executable()
	if err != nil {
		exe = "sysct"
	}
	return []string{exe, "__scope", name}
}

// isUnitMonitor says whether a process is of the guest's service: only systemd puts it
// there.
func isUnitMonitor(name string, pid int) bool {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cgroup")
	return err == nil && strings.HasSuffix(strings.TrimSpace(string(data)), "/"+UnitName(name))
}

// GoingDown says whether systemd, if that is the host's init, is about to bring the host
// down. What can't be found out is true: guests that are stopped for nothing can be
// started again.
func (m *Manager) GoingDown(ctx context.Context) bool {
	if !systemd.Running() {
		return false
	}
	conn, err := m.connectSystemd(ctx)
	if err != nil {
		m.opt.Warn(oneLine(err))
		return true
	}
	defer conn.Close()
	down, err := conn.GoingDown(ctx)
	if err != nil {
		m.opt.Warn(oneLine(err))
	}
	return down || err != nil
}

// connectSystemd connects to systemd, and says if that was possible only without D-Bus.
func (m *Manager) connectSystemd(ctx context.Context) (*systemd.Conn, error) {
	conn, err := systemd.Open(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w\nhint: guests that run can be stopped, frozen and entered without it", err)
	}
	if conn.Direct {
		m.opt.Warn("D-Bus does not answer: systemd was asked directly")
	}
	return conn, nil
}

// startUnit starts a guest's service. It returns when the guest is ready, or, early, when
// its init runs. ErrTimeout if it isn't ready within the patience: the job goes on.
func (m *Manager) startUnit(ctx context.Context, name string, o StartOptions) error {
	if err := m.startUnitCheck(ctx, name); err != nil {
		return err
	}
	// The service does so too, but its words would be in the journal only.
	if err := m.startRequired(ctx, name); err != nil {
		return err
	}
	conn, err := m.connectSystemd(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	began := time.Now()
	var over <-chan time.Time
	if o.Patience != nil {
		over = time.After(*o.Patience)
	}
	done := make(chan error, 1)
	go func() { done <- conn.Start(ctx, UnitName(name)) }()
	for {
		var look <-chan time.Time
		if o.Early {
			look = time.After(poll)
		}
		select {
		case err := <-done:
			if errors.Is(err, systemd.ErrLost) {
				m.opt.Warn("D-Bus has gone: the guest itself is waited for")
				return m.Wait(ctx, name, WaitOptions{Ready: true})
			}
			if err != nil && ctx.Err() != nil {
				m.opt.Warn("systemd goes on starting it: sysct stop " + name + " ends that")
			}
			return m.unitFailure(name, began, err)
		case <-over:
			return as(ErrTimeout, fmt.Errorf("it is not ready after %v, and systemd goes on starting it\nhint: sysct wait %s ready, or sysct stop %s", *o.Patience, name, name))
		case <-look:
			if run, err := m.status(ctx, name); err == nil && run != nil && run.State == state.Running {
				return nil
			}
		}
	}
}

// startUnitCheck finds what can be found without the service: its words would be in the
// journal only.
func (m *Manager) startUnitCheck(ctx context.Context, name string) error {
	lock, _, err := m.prepareStart(ctx, name, nil)
	if err != nil {
		return err
	}
	return lock.Release()
}

// unitFailure says why a job failed: by the record that the monitor has made.
func (m *Manager) unitFailure(name string, began time.Time, err error) error {
	if errors.Is(err, systemd.ErrMasked) {
		return maskedError(name)
	}
	var job *systemd.JobError
	if !errors.As(err, &job) {
		return err
	}
	if job.Result == "canceled" {
		return stateError("it was stopped while it started")
	}
	if b, rerr := m.readBoot(name); rerr == nil && b != nil && !b.EndedAt.Before(began) {
		if err := bootFailure(name, b); err != nil {
			return err
		}
	}
	if run, serr := m.status(context.Background(), name); serr == nil && run != nil && run.State == state.Running {
		// The monitor died before the guest was ready; another one has it.
		ready := 5 * time.Minute
		return m.Wait(context.Background(), name, WaitOptions{Ready: true, Timeout: &ready})
	}
	return fmt.Errorf("%w\nhint: journalctl -e -u %s", err, UnitName(name))
}

// bootFailure says how a boot went wrong before the guest was ready; nil: it didn't.
func bootFailure(name string, b *state.Boot) error {
	if f := b.Failure; f != nil {
		cause := errors.New(strings.TrimSpace(f.Message))
		if f.Errno != 0 && unix.Errno(f.Errno).Error() == f.Message {
			cause = unix.Errno(f.Errno)
		}
		return &StartError{Step: f.Step, Call: f.Call, Path: f.Path, Err: cause, Console: b.Console}
	}
	if b.Exit == nil || b.Ready {
		return nil
	}
	text := "its init ended before the guest was ready"
	if b.Exit.Reason == state.ReasonOOM {
		text = "its init was killed for lack of memory before the guest was ready"
	}
	return errors.New(text + "\nhint: sysct why " + name)
}

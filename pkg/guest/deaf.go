package guest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/guest/control"
)

// A monitor that is stopped or hangs, or whose socket somebody has replaced, keeps
// its guest running and can be asked nothing. It must neither hang a verb nor keep
// the guest from being killed.

// Whether a monitor is there is asked while something else is waited for: soon at
// first, less often later.
const (
	deafPause    = 2 * time.Second
	maxDeafPause = 30 * time.Second
	deafPatience = 8 * time.Second
)

// succession is how long a monitor that died may have none after it, whom the manager of
// monitors starts: on a host that is busy and slow.
const succession = time.Minute

var (
	errDeaf        = errors.New("its monitor does not answer")
	errUnreachable = errors.New("its monitor can't be reached")
)

// deaf is the error for a guest whose monitor doesn't answer.
func deaf(name string) error {
	return as(ErrTimeout, fmt.Errorf("%w\n%s", errDeaf, deafHint(name)))
}

// deafHint is what to do about a monitor that doesn't answer: the watchdog of whoever started
// it gives the guest another one, unharmed.
func deafHint(name string) string {
	return "hint: one that hangs is replaced within half a minute, and the guest goes on: try again then; sysct stop -k " + name + " kills the guest"
}

// reachPatience is how long a monitor may live without listening: at the beginning and
// at the end of a guest's life.
const reachPatience = 3 * time.Second

// reach connects to the guest's monitor, as dial does. One that lives and doesn't
// listen has just begun or is about to end: it is waited for.
func (m *Manager) reach(ctx context.Context, name string) (*control.Conn, error) {
	for deadline := time.Now().Add(reachPatience); ; time.Sleep(poll) {
		conn, err := m.dial(ctx, name)
		if !errors.Is(err, control.ErrNoMonitor) || ctx.Err() != nil || time.Now().After(deadline) || m.unreachable(name) == nil {
			return conn, err
		}
	}
}

// whileHeard gives a context that ends when the guest's monitor doesn't answer any
// more, its cause being errDeaf: what is asked of it may take as long as it likes.
func (m *Manager) whileHeard(ctx context.Context, name string) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		var missed time.Time
		for pause := deafPause; ; pause = min(2*pause, maxDeafPause) {
			select {
			case <-ctx.Done():
				return
			case <-time.After(pause):
			}
			asked := time.Now()
			bounded, done := context.WithTimeout(ctx, deafPatience)
			_, err := m.status(bounded, name)
			done()
			if !errors.Is(err, control.ErrTimeout) {
				missed = time.Time{}
				continue
			}
			if missed.IsZero() {
				missed = asked
			}
			if !m.orphaned(name) || time.Since(missed) > succession {
				cancel(errDeaf)
			}
		}
	}()
	return ctx, func() { cancel(nil) }
}

// orphaned says, of a guest whose monitor doesn't answer, that this has died. Who asks is
// in the queue of its socket then, which the next one serves.
func (m *Manager) orphaned(name string) bool {
	pid, known := m.keeper(name)
	return known && pid == 0
}

// keeper gives the guest's monitor, 0 if the one that is known has died; none is known of
// a guest that doesn't run.
func (m *Manager) keeper(name string) (pid int, known bool) {
	run, err := m.readRun(name)
	if err != nil || run == nil {
		return 0, false
	}
	pidfd, pid, err := m.ownMonitor(name)
	if pidfd >= 0 {
		unix.Close(pidfd)
	}
	return pid, err == nil
}

// silence is that of a guest's monitors.
type silence struct {
	began time.Time // the first question that nobody answered in time
	pid   int       // who doesn't answer now
	since time.Time
}

// lasts takes down that nobody has answered just now, and says whether an answer may come
// still: the monitor that is there was slow, or has just begun, or is yet to come.
func (s *silence) lasts(pid int, known bool, now time.Time) bool {
	if s.began.IsZero() {
		s.began = now
	}
	if pid == 0 || pid != s.pid {
		s.pid, s.since = pid, now
	}
	return known && now.Sub(s.since) < deafPatience && now.Sub(s.began) < succession
}

// heard words an error of a call under whileHeard's context.
func heard(ctx context.Context, name string, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(context.Cause(ctx), errDeaf) || errors.Is(err, control.ErrTimeout) {
		return deaf(name)
	}
	return callError(err)
}

// ownMonitor opens the process that this run directory's run.json has as the
// guest's monitor, if it still is that; else pidfd is -1. It is looked at after a
// pidfd holds it.
func (m *Manager) ownMonitor(name string) (pidfd, pid int, err error) {
	run, err := m.readRun(name)
	if err != nil || run == nil || run.MonitorPid == 0 {
		return -1, 0, err
	}
	pidfd, err = unix.PidfdOpen(run.MonitorPid, 0)
	if errors.Is(err, unix.ESRCH) {
		return -1, 0, nil
	}
	if err != nil {
		return -1, 0, fmt.Errorf("cannot open monitor: %w", err)
	}
	// In the middle of executing itself anew it has neither arguments nor environment.
	for try := range 5 {
		if m.isOwnMonitor(name, run.MonitorPid) {
			return pidfd, run.MonitorPid, nil
		}
		time.Sleep(time.Duration(try) * 5 * time.Millisecond)
	}
	unix.Close(pidfd)
	return -1, 0, nil
}

// isOwnMonitor: a monitor's name, started for this guest by this instance's holder.
func (m *Manager) isOwnMonitor(name string, pid int) bool {
	args, environ := procList(pid, "cmdline"), procList(pid, "environ")
	return isMonitor(pid) && len(args) > 0 && args[len(args)-1] == name &&
		(isUnitMonitor(name, pid) || slices.ContainsFunc(environ, func(v string) bool {
			path, found := strings.CutPrefix(v, "NOTIFY_SOCKET=")
			return found && filepath.Dir(path) == m.dirs.Run
		}))
}

// procList reads a file of a process that is a list with zero bytes at the ends.
func procList(pid int, file string) []string {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/" + file)
	if err != nil {
		return nil
	}
	return strings.Split(strings.TrimRight(string(data), "\x00"), "\x00")
}

// unreachable is the error for a guest whose monitor lives but doesn't listen at its
// socket; nil if no such monitor lives.
func (m *Manager) unreachable(name string) error {
	pidfd, pid, err := m.ownMonitor(name)
	if err != nil || pidfd < 0 {
		return nil
	}
	unix.Close(pidfd)
	return as(ErrLocked, fmt.Errorf("%w: pid %d does not listen at %s\nhint: sysct stop -k %s",
		errUnreachable, pid, filepath.Join(m.runDir(name), control.SocketName), name))
}

// killDeaf kills a monitor that can be asked nothing: its successor sees that the
// guest has gone and cleans up.
func (m *Manager) killDeaf(name string) error {
	pidfd, pid, err := m.ownMonitor(name)
	if err != nil || pidfd < 0 {
		return err
	}
	defer unix.Close(pidfd)
	m.opt.Warn(fmt.Sprintf("its monitor (pid %d) does not answer: it is replaced", pid))
	return unix.PidfdSendSignal(pidfd, unix.SIGKILL, nil, 0)
}

package holder

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/signame"
	"github.com/sysct/sysct/pkg/guest/control"
	"github.com/sysct/sysct/pkg/guest/fdstore"
)

// start begins to keep a guest: its monitor gets the plan, which is the first
// that is kept for the next one, and once, the report.
func (h *holder) start(name string, w *waiting) *control.Response {
	m := &monitor{name: name, helper: w.helper, pidfd: -1}
	m.keep("plan", w.plan)
	defer unix.Close(w.report)
	if err := h.spawn(m, fdstore.Stored{Name: "report", FD: w.report}); err != nil {
		m.dropAll()
		return failure(control.KindFailed, "%v", err)
	}
	h.monitors[name] = m
	return &control.Response{Pid: m.pid}
}

// spawn starts the process with all that is kept for it.
func (h *holder) spawn(m *monitor, more ...fdstore.Stored) error {
	null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("cannot open /dev/null: %w", err)
	}
	defer unix.Close(null)
	files := []uintptr{uintptr(null), uintptr(null), 2}
	var names []string
	for _, s := range append(m.kept[:len(m.kept):len(m.kept)], more...) {
		files = append(files, uintptr(s.FD))
		names = append(names, s.Name)
	}
	env := append(environment(), fdstore.Environ(names)...)
	env = append(env, "NOTIFY_SOCKET="+filepath.Join(h.conf.RunDir, notifyName), "SYSCT_MANAGER="+h.manager(m))
	m.pidfd, m.reaped, m.done, m.hung = -1, false, false, false
	m.again, m.alive = time.Time{}, time.Time{}
	attr := &syscall.ProcAttr{Dir: "/", Env: env, Files: files, Sys: &syscall.SysProcAttr{Setsid: true, PidFD: &m.pidfd}}
	argv := []string{"sysct-helper", "monitor", m.name}
	m.pid, err = syscall.ForkExec(m.helper, argv, attr)
	if errors.Is(err, fs.ErrNotExist) {
		// An upgrade took the file away that the guest was started by.
		m.pid, err = syscall.ForkExec("/proc/self/exe", argv, attr)
	}
	if err != nil {
		return fmt.Errorf("cannot run %s as monitor of %s: %w", m.helper, m.name, err)
	}
	m.started = time.Now()
	return h.watch(m)
}

// manager tells a monitor whom to watch, how to get another holder when this one has
// died, how often to give a sign of life, and how the monitor before it died.
func (h *holder) manager(m *monitor) string {
	data, err := json.Marshal(struct {
		Pid      int
		Revive   []string
		Watchdog time.Duration
		Death    string
		Store    int
	}{os.Getpid(), h.conf.args(modeEnsure), h.watchdog(), m.death, maxKept})
	if err != nil {
		return ""
	}
	return string(data)
}

// watch has the end of a monitor noticed.
func (h *holder) watch(m *monitor) error {
	return h.loop.Add(m.pidfd, unix.EPOLLIN, func(uint32) { h.died(m) })
}

// died decides what comes after a monitor's end.
func (h *holder) died(m *monitor) {
	// First what it sent while it lived: it may say that it was done.
	h.drainNotify()
	h.reap()
	if !m.reaped {
		m.status, m.reaped = exitInfo(m.pidfd)
	}
	h.loop.Remove(m.pidfd)
	unix.Close(m.pidfd)
	m.pid, m.pidfd = 0, -1
	if m.finished() {
		h.forget(m)
		return
	}
	m.death, m.alive = describe(m), time.Time{}
	delay := m.delay(time.Now())
	m.again = time.Now().Add(delay)
	h.log.printf("monitor of %s died (%s); it is started again in %v", m.name, describe(m), delay)
}

// forget ends the keeping of a guest, and starts it anew if somebody waits for
// that.
func (h *holder) forget(m *monitor) {
	m.dropAll()
	delete(h.monitors, m.name)
	if w := m.next; w != nil {
		m.next = nil
		if w.peer.Reply(h.start(m.name, w)) != nil {
			h.closeClient(w.peer)
		}
	}
}

// restart starts the monitors whose time has come.
func (h *holder) restart(now time.Time) {
	for _, m := range h.monitors {
		if m.again.IsZero() || now.Before(m.again) {
			continue
		}
		if err := h.spawn(m); err != nil {
			m.again = now.Add(maxDelay)
			h.log.printf("%v; it is tried again in %v", err, maxDelay)
		}
	}
}

// exitInfo asks the kernel how a process that isn't our child ended
// (PIDFD_GET_INFO with PIDFD_INFO_EXIT, Linux 6.15).
func exitInfo(pidfd int) (unix.WaitStatus, bool) {
	info := unix.PidfdInfo{Mask: unix.PIDFD_INFO_EXIT}
	if err := unix.IoctlPidfdInfo(pidfd, &info); err != nil || info.Mask&unix.PIDFD_INFO_EXIT == 0 {
		return 0, false
	}
	return unix.WaitStatus(info.Exit_code), true
}

func describe(m *monitor) string {
	switch {
	case m.hung:
		return "killed, as it gave no sign of life"
	case !m.reaped:
		return "nobody saw how"
	case m.status.Signaled():
		return "by the signal " + signame.Name(m.status.Signal())
	default:
		return fmt.Sprintf("with status %d", m.status.ExitStatus())
	}
}

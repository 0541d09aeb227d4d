package monitor

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	sysctx "github.com/sysct/sysct/pkg/context"
	"github.com/sysct/sysct/pkg/context/mend"
)

const (
	// mendDelay is for a guest that ends: its views' connection may end before its init, see leaving.
	mendDelay = 20 * time.Millisecond
	// mendPause is between one time and the next: the guest's root can unmount them again
	// and again.
	mendPause = time.Second
	// mendTimeout bounds how long it takes.
	mendTimeout = 5 * time.Second
)

// mendViews gives a running guest's views a new connection, a moment later.
func (m *monitor) mendViews() {
	v := &m.views
	if len(m.plan.Context.Views) == 0 || v.mending {
		return
	}
	v.mending = true
	delay := max(mendDelay, v.mended+mendPause-now().Mono)
	boots := m.core.Life.Boots
	m.background(func() func() {
		time.Sleep(delay)
		return func() {
			v.mending = false
			switch {
			case m.pidfd < 0 || !alive(m.pidfd) || v.dev >= 0 || leaving(m.core.Life.Pid):
			case m.core.Life.Boots != boots:
				m.mendViews() // another boot's have ended meanwhile
			default:
				v.mended = now().Mono
				m.mountAnew()
			}
		}
	})
}

// leaving says whether a process is ending and has no namespaces any more: the guest's mounts
// went with them, and its connection, long before its end is known where it had interfaces.
func leaving(pid int) bool {
	_, err := os.Readlink("/proc/" + strconv.Itoa(pid) + "/ns/mnt")
	return err != nil
}

// mountAnew makes the connection and has another process put it into the guest. If there
// can be no connection now, that is said once and tried again.
func (m *monitor) mountAnew() {
	dev, mount, err := sysctx.NewViews(m.plan.Context.IDs)
	if err != nil {
		if !m.views.mendFails {
			m.log.say("cannot make the guest's views anew, which is tried again: " + err.Error())
		}
		m.views.mendFails = true
		m.mendViews()
		return
	}
	m.views.mendFails = false
	m.keep(fdViews, dev)
	m.keepMount(mount)
	m.views.placing = &placing{mount: mount}
	m.serveViews(dev, false)
	m.placeIfDue(now().Mono)
}

// placeAnew runs in a job's goroutine.
func placeAnew(pid, pidfd, mount int, views []string) error {
	defer unix.Close(mount)
	ns, err := unix.Open("/proc/"+strconv.Itoa(pid)+"/ns/mnt", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("cannot open mount namespace: %w", err)
	}
	defer unix.Close(ns)
	if !alive(pidfd) {
		return errors.New("the guest has ended") // and the pid may be another's
	}
	args, err := json.Marshal(mend.Args{Views: views, Source: sysctx.ViewSource})
	if err != nil {
		return err
	}
	null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("cannot open /dev/null: %w", err)
	}
	defer unix.Close(null)
	var words [2]int // what it says
	if err := unix.Pipe2(words[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return os.NewSyscallError("pipe2", err)
	}
	defer unix.Close(words[0])
	child := -1
	own, err := syscall.ForkExec("/proc/self/exe", []string{"sysct-helper", "mend", string(args)}, &syscall.ProcAttr{
		Dir: "/", Env: []string{"GOMAXPROCS=1"}, Files: []uintptr{uintptr(null), uintptr(null), uintptr(words[1]), uintptr(mount), uintptr(ns)},
		Sys: &syscall.SysProcAttr{Setsid: true, PidFD: &child},
	})
	unix.Close(words[1])
	if err != nil {
		return err
	}
	defer unix.Close(child)
	if err := awaitChild(own, child, mendTimeout); err != nil {
		var text [maxCheckWords]byte
		n, _ := unix.Read(words[0], text[:])
		return fmt.Errorf("%w; it says %q", err, strings.TrimSpace(printable(string(text[:max(n, 0)]))))
	}
	return nil
}

// awaitChild waits for a child's end, kills it if that takes too long, and waits no longer
// for one that can't be killed.
func awaitChild(pid, pidfd int, timeout time.Duration) error {
	late := !endsWithin(pidfd, timeout)
	if late {
		unix.PidfdSendSignal(pidfd, unix.SIGKILL, nil, 0)
		endsWithin(pidfd, timeout)
	}
	var st unix.WaitStatus
	for {
		n, err := unix.Wait4(pid, &st, unix.WNOHANG, nil)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return err
		case n == 0:
			return fmt.Errorf("process %d hangs in the guest's file systems", pid)
		case late:
			return fmt.Errorf("process %d hung in the guest's file systems and was killed", pid)
		case st != 0:
			return fmt.Errorf("wait status %#x", int(st))
		}
		return nil
	}
}

func endsWithin(pidfd int, timeout time.Duration) bool {
	deadline := time.Now().Add(timeout)
	fds := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(fds, int(max(time.Until(deadline), 0)/time.Millisecond))
		if err != unix.EINTR {
			return err == nil && n > 0
		}
	}
}

package monitor

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/guest/control"
	"github.com/sysct/sysct/pkg/guest/fdstore"
)

// An upgrade is a renewal with another program, that somebody asks for. The program is
// tried first, on copies of the descriptors that it will have to understand:
//
//	sysct upgrade          this monitor              the same process
//	upgrade, program ────▶ runs `PROGRAM check`
//	                       waits until nothing is
//	                       under way, executes it ──▶ takes over
//	answer           ◀────────────────────────────── with its version
//
// Clients lose their connections, as by the monitor's death; the asker's goes along.
type upgrade struct {
	client  int
	program int // descriptor
	checked bool
	until   time.Duration // when it is given up, monotonic
}

const (
	// upgradePatience is how long a guest may be starting or stopping before an
	// upgrade is given up, unless the client says.
	upgradePatience = time.Minute
	// checkTimeout bounds the trial of a program.
	checkTimeout = 10 * time.Second
	// maxCheckWords bounds what is read of what it says, in bytes.
	maxCheckWords = 4096
)

func (m *monitor) askedUpgrade(id int, p *peer, req *control.Request, fds []int) {
	var refused *control.Error
	switch {
	case len(fds) != 1:
		refused = control.Errorf(control.KindInvalid, "an upgrade takes a program")
	case m.upgrade != nil:
		refused = control.Errorf(control.KindBusy, "another upgrade is under way")
	case m.store == nil:
		refused = control.Errorf(control.KindState, "nobody keeps this monitor's descriptors")
	}
	if refused != nil {
		control.CloseAll(fds)
		m.answer(p, control.Response{Error: refused})
		return
	}
	u := &upgrade{client: id, program: fds[0], until: now().Mono + req.Timeout(upgradePatience)}
	m.upgrade = u
	kept := m.understood()
	program, err := unix.FcntlInt(uintptr(u.program), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		m.refuseUpgrade(control.KindFailed, err)
		return
	}
	m.background(func() func() {
		defer unix.Close(program)
		err := tryProgram(program, kept)
		for _, s := range kept {
			unix.Close(s.FD)
		}
		return func() {
			switch {
			case m.upgrade != u:
			case err != nil:
				m.refuseUpgrade(control.KindFailed, fmt.Errorf("the new program can't take over: %w", err))
			default:
				u.checked = true
			}
		}
	})
}

// understood are copies of the kept descriptors that have a format.
func (m *monitor) understood() []fdstore.Stored {
	var copies []fdstore.Stored
	for _, s := range m.kept {
		if s.Name != fdPlan && s.Name != fdShared && !strings.HasPrefix(s.Name, fdRing) {
			continue
		}
		if fd, err := unix.FcntlInt(uintptr(s.FD), unix.F_DUPFD_CLOEXEC, 3); err == nil {
			copies = append(copies, fdstore.Stored{Name: s.Name, FD: fd})
		}
	}
	return copies
}

// tryProgram runs `PROGRAM check` with descriptors, in a goroutine of its own.
func tryProgram(program int, stored []fdstore.Stored) error {
	null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("cannot open /dev/null: %w", err)
	}
	defer unix.Close(null)
	out, theirs, err := os.Pipe()
	if err != nil {
		return err
	}
	defer out.Close()
	files := []uintptr{uintptr(null), theirs.Fd(), theirs.Fd()}
	var names []string
	for _, s := range stored {
		files = append(files, uintptr(s.FD))
		names = append(names, s.Name)
	}
	pid, err := syscall.ForkExec(fmt.Sprintf("/proc/self/fd/%d", program), []string{"sysct-helper", "check"},
		&syscall.ProcAttr{Dir: "/", Env: append(syscall.Environ(), fdstore.Environ(names)...), Files: files, Sys: &syscall.SysProcAttr{Setsid: true}})
	theirs.Close()
	if err != nil {
		return fmt.Errorf("cannot execute it: %w", err)
	}
	out.SetReadDeadline(time.Now().Add(checkTimeout))
	words, rerr := io.ReadAll(io.LimitReader(out, maxCheckWords))
	if rerr != nil {
		unix.Kill(pid, unix.SIGKILL) // not reaped yet, so it is still that one
	}
	var st unix.WaitStatus
	for {
		if _, err := unix.Wait4(pid, &st, 0, nil); err != unix.EINTR {
			break
		}
	}
	switch {
	case rerr != nil:
		return fmt.Errorf("its check doesn't end: %w", rerr)
	case st != 0:
		return errors.New(strings.TrimSpace(printable(string(words))))
	}
	return nil
}

// upgradeIfDue executes the new program if it will do and nothing is under way.
func (m *monitor) upgradeIfDue(mono time.Duration) {
	u := m.upgrade
	if u == nil {
		return
	}
	busy := len(m.queue) > 0 || m.jobs > 0 || m.asides > 0 || m.report >= 0 || !m.core.Settled()
	if !u.checked || busy || !m.pauseCalls() {
		if mono >= u.until {
			m.refuseUpgrade(control.KindBusy, whyBusy(busy, m.hangingCall()))
		}
		return
	}
	m.publish()
	m.log.say("another program takes over in this process")
	asker := fdstore.Stored{Name: fdAsker, FD: m.peers[u.client].FD()}
	err := m.execute(fmt.Sprintf("/proc/self/fd/%d", u.program), asker)
	if !errors.Is(err, errCalled) { // else it is tried again
		m.refuseUpgrade(control.KindFailed, err)
	}
}

// whyBusy says what an upgrade waited for in vain. hanging: the process that a call hangs in.
// The monitor isn't killed then, for another to take over: a thread that hangs so may not end
// by that, and until it does the monitor hasn't.
func whyBusy(busy bool, hanging int) error {
	if !busy && hanging > 0 {
		return fmt.Errorf("process %d of the guest keeps a thread of its monitor: it has sysinfo(2) answered into memory that doesn't respond; end that process, then upgrade again", hanging)
	}
	return errors.New("the guest is just starting, stopping or being copied")
}

// refuseUpgrade ends an upgrade that came to nothing.
func (m *monitor) refuseUpgrade(kind control.Kind, err error) {
	u := m.upgrade
	m.log.say("no upgrade: " + err.Error())
	if p := m.peers[u.client]; p != nil {
		m.answer(p, control.Response{Error: control.Errorf(kind, "%v", err)})
	}
	m.dropUpgrade(u.client)
}

// dropUpgrade forgets a client's upgrade.
func (m *monitor) dropUpgrade(client int) {
	if u := m.upgrade; u != nil && u.client == client {
		unix.Close(u.program)
		m.upgrade = nil
	}
}

// answerUpgrade tells who asked for it that this program has taken over.
func (m *monitor) answerUpgrade(asker int) {
	if asker < 0 {
		return
	}
	m.log.say("upgraded to version " + m.version)
	run := m.core.Run()
	p := control.Resume(asker, m.version)
	p.Reply(&control.Response{Run: &run, Pid: os.Getpid()}) // who has gone sees it in the log
	p.Close()
}

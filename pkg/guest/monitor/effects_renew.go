package monitor

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/guest/fdstore"
)

// A launch needs several times the memory of all that comes after it, and the
// runtime gives little of that back: what was allocated once, in every size class
// and on every thread, keeps its pages, and a collection needs more of its own. So
// a monitor that has launched a guest, or served many clients, executes itself
// anew when nothing is under way. It finds everything as after its death, by the
// same descriptors, but stays the same process, and the parent of the guest's init.

const (
	// renewDelay is how long after a launch that is done: boots aren't held up.
	renewDelay = 3 * time.Second
	// renewClients is after how many clients.
	renewClients = 100
)

// renewedVar tells a monitor that it was one before, and after which boot.
const renewedVar = "SYSCT_RENEWED"

func (m *monitor) renewLater() {
	if m.renewAt == 0 {
		m.renewAt = now().Mono + renewDelay
	}
}

// renewIfDue executes this program anew if it is time and nothing is under way.
func (m *monitor) renewIfDue(mono time.Duration) {
	if m.renewAt == 0 || mono < m.renewAt {
		return
	}
	if m.store == nil {
		m.renewAt = 0 // nobody has the descriptors if it fails
		return
	}
	if !m.calm() {
		m.renewAt = mono + renewDelay
		return
	}
	if !m.pauseCalls() {
		m.renewAt = mono + renewDelay
		return
	}
	m.renewAt = 0
	err := m.execute("/proc/self/exe")
	if errors.Is(err, errCalled) {
		m.renewLater()
		return
	}
	m.log.say("cannot begin anew: " + err.Error())
}

// calm says whether this process has nothing in its memory that a successor would miss.
func (m *monitor) calm() bool {
	if len(m.peers) > 0 || len(m.queue) > 0 || m.jobs > 0 || m.asides > 0 || m.report >= 0 || m.stale || !m.core.Calm() {
		return false
	}
	for _, s := range m.screens {
		if s.tty.Clients() > 0 {
			return false
		}
	}
	return true
}

// execute begins anew as a program, with what is kept and more. It returns only if it
// fails. Calls of the guest are paused.
func (m *monitor) execute(program string, more ...fdstore.Stored) error {
	defer m.resumeCalls()
	manager, err := json.Marshal(m.manager)
	if err != nil {
		return err
	}
	first, names, err := lineUp(append(m.kept[:len(m.kept):len(m.kept)], more...))
	if err != nil {
		return err
	}
	env := append(os.Environ(), fdstore.EnvironAt(first, names)...)
	// From now on little is allocated: a heap of 2 MiB would be large.
	env = append(env, "GOGC=50", "NOTIFY_SOCKET="+m.manager.Notify, "SYSCT_MANAGER="+string(manager), fmt.Sprintf("%s=%d", renewedVar, m.core.Life.Boots))
	_ = failpoint("be deaf " + strconv.Itoa(m.core.Life.Boots))
	unblock := BlockStop()
	m.deafToStop()
	if m.loop.Posted() {
		err = errCalled
	} else {
		_ = failpoint("begin anew " + strconv.Itoa(m.core.Life.Boots))
		err = os.NewSyscallError("execve", syscall.Exec(program, []string{"sysct-helper", "monitor", m.plan.Name}, env))
	}
	m.hearStop()
	unblock()
	closeRow(first, len(names))
	return err
}

// errCalled says that something came at the last moment that this program has to see to.
var errCalled = errors.New("something has just come up")

// hearStop begins to catch SigStop.
func (m *monitor) hearStop() { m.deafToStop = m.loop.Signals(m.signalled, SigStop) }

// BlockStop has [SigStop] wait for the program that this thread executes, until that
// catches it: it would die of it, and the stop that was asked for be lost. Go's runtime
// keeps to the mask that a program begins with, on all its threads (package os/signal), but not
// for SIGTERM. The one thread that catches the signal, from signal.Notify to signal.Stop, must
// not do so any more: what it has caught goes with the execution.
func BlockStop() (unblock func()) {
	runtime.LockOSThread()
	var set, old unix.Sigset_t
	set.Val[0] = 1 << (SigStop - 1)
	if err := unix.PthreadSigmask(unix.SIG_BLOCK, &set, &old); err != nil {
		return runtime.UnlockOSThread
	}
	return func() {
		_ = unix.PthreadSigmask(unix.SIG_SETMASK, &old, nil)
		runtime.UnlockOSThread()
	}
}

// closeRow closes n descriptors from first on.
func closeRow(first, n int) {
	for fd := first; fd < first+n; fd++ {
		unix.Close(fd)
	}
}

// placeStep is where the kept descriptors may begin for an execution, and its multiples: the
// numbers below are the runtime's as well, which polls one of them at any time.
const placeStep = 128

// freeRow finds n numbers in a row that nobody uses.
func freeRow(n int) (first int) {
	for first = placeStep; ; first += placeStep {
		used := func(fd int) bool {
			_, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
			return err == nil
		}
		fd := first
		for fd < first+n && !used(fd) {
			fd++
		}
		if fd == first+n {
			return first
		}
	}
}

// lineUp duplicates descriptors to numbers in a row that nobody uses, and has
// none of the others but the standard ones left open across an execution.
func lineUp(kept []fdstore.Stored) (first int, names []string, err error) {
	first = freeRow(len(kept))
	if err := unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return 0, nil, os.NewSyscallError("close_range", err)
	}
	for i, s := range kept {
		fd, err := unix.FcntlInt(uintptr(s.FD), unix.F_DUPFD, first+i)
		if err == nil && fd != first+i {
			unix.Close(fd)
			err = fmt.Errorf("number %d is taken", first+i)
		}
		if err != nil {
			closeRow(first, i)
			return 0, nil, fmt.Errorf("cannot duplicate descriptor of %s: %w", s.Name, err)
		}
		names = append(names, s.Name)
	}
	return first, names, nil
}

package monitor

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
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
	if err := m.renew(); err != nil {
		// The descriptors have other numbers by now: the service manager's are right.
		m.log.say("cannot begin anew: " + err.Error())
		os.Exit(1)
	}
}

// calm says whether this process has nothing in its memory that a successor would miss.
func (m *monitor) calm() bool {
	if len(m.peers) > 0 || len(m.queue) > 0 || m.jobs > 0 || m.asides > 0 || m.report >= 0 || !m.core.Calm() {
		return false
	}
	for _, s := range m.screens {
		if s.tty.Clients() > 0 {
			return false
		}
	}
	return true
}

// renew returns only if it fails.
func (m *monitor) renew() error {
	manager, err := json.Marshal(m.manager)
	if err != nil {
		return err
	}
	names, err := m.lineUp()
	if err != nil {
		return err
	}
	env := append(os.Environ(), fdstore.Environ(names)...)
	// From now on little is allocated: a heap of 2 MiB would be large.
	env = append(env, "GOGC=50", "NOTIFY_SOCKET="+m.manager.Notify, "SYSCT_MANAGER="+string(manager), fmt.Sprintf("%s=%d", renewedVar, m.core.Life.Boots))
	return os.NewSyscallError("execve", syscall.Exec("/proc/self/exe", []string{"sysct-helper", "monitor", m.plan.Name}, env))
}

// lineUp gives the kept descriptors the numbers from 3 on, and leaves no other one
// open across an execution but the standard ones.
func (m *monitor) lineUp() ([]string, error) {
	const first = 3
	beyond := first + len(m.kept)
	var names []string
	var apart []int
	for _, s := range m.kept {
		fd, err := unix.FcntlInt(uintptr(s.FD), unix.F_DUPFD_CLOEXEC, beyond)
		if err != nil {
			return nil, fmt.Errorf("cannot duplicate descriptor of %s: %w", s.Name, err)
		}
		names, apart = append(names, s.Name), append(apart, fd)
	}
	for i, fd := range apart {
		if err := unix.Dup3(fd, first+i, 0); err != nil {
			return nil, fmt.Errorf("cannot hand over descriptor of %s: %w", names[i], err)
		}
	}
	if err := unix.CloseRange(uint(beyond), math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return nil, os.NewSyscallError("close_range", err)
	}
	return names, nil
}

package monitor

import (
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/context/seccomp"
	"github.com/sysct/sysct/pkg/guest/calls"
	"github.com/sysct/sysct/pkg/guest/state"
	"github.com/sysct/sysct/pkg/views"
)

// How the guest ends is said by its own reboot(2), if that is known; how its init's
// task ended isn't enough (see certain). So the guest's filter notifies of that call,
// and waits with it until the monitor has noted it:
//
//	guest: reboot(2) ──▶ listener ──▶ slot in shared memory ──▶ Life ──▶ answer: go on
//	                                    a successor goes on from here ──▶

// callServer answers the calls of a boot.
type callServer struct {
	server  *calls.Server // nil: there was no listener yet
	number  int           // of the guest's own listener; 0: there is none
	entered []int         // of those of what has entered the guest
	last    int           // number that was given last
	checkAt time.Duration // when to look after the server; 0: there is no need
	init    atomic.Int64  // the pid of the guest's init
}

// listenToCalls has the guest's calls answered. Those that the monitor before this one had
// taken, and not answered, come first.
func (m *monitor) listenToCalls(listener int) {
	c := &m.calls
	if listener < 0 {
		if c.server != nil {
			c.server.Start()
		}
		return
	}
	c.init.Store(int64(m.core.Life.Pid))
	c.last++
	if err := m.addListener(c.last, listener, true); err != nil {
		// The kernel then says to the guest that there is no such call, which is better than
		// that it waits for ever.
		m.log.say(err.Error())
		m.drop(fdCalls)
		unix.Close(listener)
		return
	}
	c.number = c.last
	c.server.Start()
}

// addListener has the server answer what is called on a listener, which is its own then.
func (m *monitor) addListener(number, listener int, own bool) (err error) {
	c := &m.calls
	if c.server == nil {
		if c.server, err = m.newCallServer(); err != nil {
			return err
		}
	}
	return c.server.Add(number, listener, own)
}

func (m *monitor) newCallServer() (*calls.Server, error) {
	memory, err := m.slots.calls()
	if err != nil {
		return nil, err
	}
	return calls.New(memory, calls.Options{
		Figures: m.sysinfo,
		Other:   m.called,
		Init:    func() int { return int(m.calls.init.Load()) },
		Unused:  func(number int) { m.loop.Post(func() { m.unlisten(number) }) },
		Watch: func() {
			m.loop.Post(func() { m.calls.checkAt = now().Mono + calls.CheckAfter })
		},
		Say:       func(text string) { m.loop.Post(func() { m.log.say(text) }) },
		Rest:      m.effort.rest,
		Failpoint: failpoint,
	})
}

var errNoFigures = errors.New("the guest's figures can't be had")

// sysinfo is in the server's goroutine.
func (m *monitor) sysinfo() (s views.Snapshot, err error) {
	if !m.withFigures(views.NeedSysinfo, func(shot *views.Snapshot) { s = *shot }) {
		err = errNoFigures
	}
	return s, err
}

// checkCalls looks after the server if it is time.
func (m *monitor) checkCalls(mono time.Duration) {
	c := &m.calls
	if c.checkAt == 0 || mono < c.checkAt {
		return
	}
	c.checkAt = 0
	if c.server.Check() {
		c.checkAt = mono + calls.CheckAfter
	}
}

// dropCalls lets go of the guest's listener.
func (m *monitor) dropCalls() {
	m.drop(fdCalls)
	if m.calls.number > 0 {
		m.calls.server.Remove(m.calls.number)
		m.calls.number = 0
	}
	for len(m.calls.entered) > 0 {
		m.unlisten(m.calls.entered[0])
	}
}

// pauseCalls keeps the guest's calls waiting for another program; false: it can't be now.
func (m *monitor) pauseCalls() bool { return m.calls.server == nil || m.calls.server.Pause() }

// hangingCall is the pid of the guest's process that keeps calls from being paused; 0: none does.
func (m *monitor) hangingCall() int {
	if m.calls.server == nil {
		return 0
	}
	return m.calls.server.Hanging()
}

func (m *monitor) resumeCalls() {
	if m.calls.server != nil {
		m.calls.server.Resume()
	}
}

// called judges a call, in the server's goroutine. One that means nothing is carried out at
// once.
func (m *monitor) called(own bool, n *seccomp.Notification) bool {
	how := rebootOf(n)
	if !own || how == "" || !mayReboot(int(n.Pid), int(m.calls.init.Load())) {
		return false
	}
	id := n.ID
	m.loop.Post(func() { m.emit(Called{How: how, Call: id}) })
	return true
}

// carryOut has the kernel carry out a call that the core knows of. One whose caller was
// interrupted meanwhile isn't carried out.
func (m *monitor) carryOut(id uint64) {
	if m.calls.server == nil {
		return
	}
	err := m.calls.server.Continue(id)
	switch {
	case errors.Is(err, seccomp.ErrNone):
		m.emit(CallGone{id})
	case err != nil:
		m.log.say("cannot let the guest go on: " + err.Error())
	}
}

// rebootOf says what a call of reboot(2) would do to its pid namespace, in the words of
// package state; "": nothing, as those for Ctrl-Alt-Del (Linux, kernel/pid_namespace.c,
// reboot_pid_ns).
func rebootOf(n *seccomp.Notification) string {
	if uint32(n.Args[0]) != unix.LINUX_REBOOT_MAGIC1 || !slices.Contains(seccomp.RebootMagics2(), uint32(n.Args[1])) {
		return ""
	}
	switch uint32(n.Args[2]) {
	case unix.LINUX_REBOOT_CMD_RESTART, unix.LINUX_REBOOT_CMD_RESTART2:
		return state.ReasonReboot
	case unix.LINUX_REBOOT_CMD_POWER_OFF:
		return state.ReasonPoweroff
	case unix.LINUX_REBOOT_CMD_HALT:
		return state.ReasonHalt
	}
	return ""
}

// mayReboot says whether a thread's reboot(2) is the guest's: it is in the guest's own
// pid namespace, not in one below, and has CAP_SYS_BOOT in the user namespace that
// owns it.
func mayReboot(pid, init int) bool {
	// First what most who call it in vain lack.
	status, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil || !hasBoot(string(status)) {
		return false
	}
	for _, ns := range []string{"/ns/pid", "/ns/user"} {
		own, err := os.Readlink("/proc/" + strconv.Itoa(pid) + ns)
		if err != nil {
			return false
		}
		guests, err := os.Readlink("/proc/" + strconv.Itoa(init) + ns)
		if err != nil || own != guests {
			return false
		}
	}
	return true
}

// hasBoot reads CapEff of proc_pid_status(5).
func hasBoot(status string) bool {
	for line := range strings.Lines(status) {
		if v, ok := strings.CutPrefix(line, "CapEff:"); ok {
			set, err := strconv.ParseUint(strings.TrimSpace(v), 16, 64)
			return err == nil && set>>unix.CAP_SYS_BOOT&1 != 0
		}
	}
	return false
}

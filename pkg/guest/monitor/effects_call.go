package monitor

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/context/seccomp"
	"github.com/sysct/sysct/pkg/guest/state"
)

// How the guest ends is said by its own reboot(2), if that is known; how its init's
// task ended isn't enough (see certain). So the guest's filter notifies of that call,
// and waits with it until the monitor has noted it:
//
//	guest: reboot(2) ──▶ listener ──▶ slot in shared memory ──▶ Life ──▶ answer: go on
//	                                    a successor goes on from here ──▶

// callBudget is after how many calls a guest has to wait for a moment: one that means
// it calls once.
const (
	callBudget = 16
	callPause  = 50 * time.Millisecond
)

// callsWatch is how the guest's filter is listened to.
type callsWatch struct {
	heard  int    // how many calls it has heard of
	number int    // of the listener: another boot's may have the same descriptor
	said   string // the last failure
}

// listenToCalls waits for the guest's calls of reboot(2). One that the monitor before
// this one had taken, and not answered, comes first.
func (m *monitor) listenToCalls(listener int) {
	m.calls = listener
	m.hearing.number++
	if listener < 0 {
		return
	}
	slot, done, err := m.slots.call()
	if err != nil {
		m.callsLater(err)
		return
	}
	if slot.ID != 0 {
		m.called(slot)
	}
	done()
	m.awaitCalls(listener)
}

func (m *monitor) awaitCalls(listener int) {
	err := m.loop.Add(listener, unix.EPOLLIN, func(events uint32) { m.hearCall(listener, events) })
	if err != nil {
		m.callsLater(err)
	}
}

// callsLater listens again after a moment. A listener that nobody reads would have every
// reboot(2) of the guest wait for ever. err: why it is not read now.
func (m *monitor) callsLater(err error) {
	w := &m.hearing
	if err != nil && err.Error() != w.said {
		w.said = err.Error()
		m.log.say("cannot hear the guest's calls, trying again: " + w.said)
	}
	listener, number := m.calls, w.number
	m.background(func() func() {
		time.Sleep(callPause)
		return func() {
			if m.calls == listener && w.number == number && listener >= 0 {
				m.awaitCalls(listener)
			}
		}
	})
}

// hearCall takes one call; for the next the loop comes again.
func (m *monitor) hearCall(listener int, events uint32) {
	if events&unix.EPOLLIN == 0 {
		if events&unix.EPOLLHUP != 0 {
			m.loop.Remove(listener) // no process is left that could call
		}
		return
	}
	slot, done, err := m.slots.call()
	if err == nil {
		defer done()
		err = failpoint("hear call")
	}
	if err == nil {
		err = seccomp.Receive(listener, slot)
	}
	switch {
	case errors.Is(err, seccomp.ErrNone):
		return
	case err != nil:
		m.loop.Remove(listener)
		m.callsLater(err)
		return
	}
	failpoint("judge call") // a successor finds it in the slot
	m.called(slot)
	if m.hearing.heard++; m.hearing.heard%callBudget == 0 {
		m.loop.Remove(listener)
		m.callsLater(nil)
	}
}

// called judges a call. One that means nothing is carried out at once.
func (m *monitor) called(n *seccomp.Notification) {
	how := rebootOf(n)
	if how == "" || !mayReboot(int(n.Pid), m.core.Life.Pid) || !seccomp.Valid(m.calls, n.ID) {
		m.allow(n.ID)
		return
	}
	m.emit(Called{How: how, Call: n.ID})
}

// carryOut has the kernel carry out a call that the core knows of. One whose caller was
// interrupted meanwhile isn't carried out.
func (m *monitor) carryOut(id uint64) {
	if !m.allow(id) {
		m.emit(CallGone{id})
	}
}

// allow has the kernel carry a call out; false: nobody waits for it any more.
func (m *monitor) allow(id uint64) bool {
	if m.calls < 0 {
		return true
	}
	err := seccomp.Continue(m.calls, id)
	gone := errors.Is(err, seccomp.ErrNone)
	if err != nil && !gone {
		m.log.say("cannot let the guest go on: " + err.Error())
	}
	slot, done, err := m.slots.call()
	if err != nil {
		m.log.say(err.Error())
		return !gone
	}
	*slot = seccomp.Notification{}
	done()
	return !gone
}

// The first argument of reboot(2), and those that the second one may be (reboot(2)).
const rebootMagic1 = 0xfee1dead

var rebootMagics2 = [...]uint32{672274793, 85072278, 369367448, 537993216}

// rebootOf says what a call of reboot(2) would do to its pid namespace, in the words of
// package state; "": nothing, as those for Ctrl-Alt-Del (Linux, kernel/pid_namespace.c,
// reboot_pid_ns).
func rebootOf(n *seccomp.Notification) string {
	known := false
	for _, magic := range rebootMagics2 {
		known = known || uint32(n.Args[1]) == magic
	}
	if uint32(n.Args[0]) != rebootMagic1 || !known {
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
	status, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	return err == nil && hasBoot(string(status))
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

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

// listenToCalls waits for the guest's calls of reboot(2). One that the monitor before
// this one had taken, and not answered, comes first.
func (m *monitor) listenToCalls(listener int) {
	m.calls = listener
	if listener < 0 {
		return
	}
	slot, done, err := m.slots.call()
	if err != nil {
		m.log.say(err.Error())
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
		m.log.say(err.Error())
	}
}

// hearCall takes one call; for the next the loop comes again.
func (m *monitor) hearCall(listener int, events uint32) {
	if events&unix.EPOLLIN == 0 {
		m.loop.Remove(listener) // no process is left that could call
		return
	}
	slot, done, err := m.slots.call()
	if err != nil {
		m.log.say(err.Error())
		m.loop.Remove(listener)
		return
	}
	defer done()
	switch err := seccomp.Receive(listener, slot); {
	case errors.Is(err, seccomp.ErrNone):
		return
	case err != nil:
		m.log.say("cannot hear the guest's calls: " + err.Error())
		m.loop.Remove(listener)
		return
	}
	failpoint("judge call") // a successor finds it in the slot
	m.called(slot)
	if m.heard++; m.heard%callBudget == 0 {
		m.loop.Remove(listener)
		m.background(func() func() {
			time.Sleep(callPause)
			return func() {
				if m.calls == listener {
					m.awaitCalls(listener)
				}
			}
		})
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

// allow has the kernel carry a call out.
func (m *monitor) allow(id uint64) {
	if m.calls < 0 {
		return
	}
	if err := seccomp.Continue(m.calls, id); err != nil && !errors.Is(err, seccomp.ErrNone) {
		m.log.say("cannot let the guest go on: " + err.Error())
	}
	slot, done, err := m.slots.call()
	if err != nil {
		m.log.say(err.Error())
		return
	}
	*slot = seccomp.Notification{}
	done()
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

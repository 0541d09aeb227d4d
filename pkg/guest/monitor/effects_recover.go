package monitor

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/limits"
)

// recoverJob ends a guest that nobody keeps: its init is asked to halt, and what
// is left when the time is over, is killed. The groups are removed, so that the
// next boot has fresh ones.
func (m *monitor) recoverJob(timeout time.Duration) func() func() {
	plan, favoured := m.plan, m.favoured
	return func() func() {
		var how string
		group, err := m.openGroup()
		if err == nil && group != nil {
			how = haltUnkept(plan, group, timeout, favoured)
			err = m.removeBoot(group)
		}
		return func() {
			if how != "" {
				m.log.say(how)
			}
			m.emit(Recovered{err})
		}
	}
}

// EndUnkept asks the init of a guest that no monitor keeps to halt, waits for its time to
// stop, and says what came of it. Nothing is killed.
func EndUnkept(plan *Plan, group limits.Group) string {
	return haltUnkept(plan, group, plan.StopTimeout, false)
}

// haltUnkept gives the guest the chance of a clean end, and says what came of
// it.
func haltUnkept(plan *Plan, group limits.Group, timeout time.Duration, favoured bool) string {
	pid, pidfd := findInit(group)
	if pidfd < 0 {
		return "no init was found: its processes are killed"
	}
	defer unix.Close(pidfd)
	if timeout <= 0 {
		return "it is killed: it was given no time to stop"
	}
	if err := group.Thaw(freezeTimeout); err != nil {
		return "it can't be thawed, it is killed: " + err.Error()
	}
	in := inside{plan: plan, pid: pid, pidfd: pidfd, group: group, favoured: favoured}
	begun := time.Now()
	for {
		h := in.halt(time.Since(begun) < haltPatience)
		switch {
		case h.Err != nil:
			return "init can't be asked to halt, it is killed: " + h.Err.Error()
		case h.Retry:
			time.Sleep(haltRetry)
			if alive(pidfd) && time.Since(begun) < timeout {
				continue
			}
		}
		rest := restingInit(pid, group)
		for {
			left := timeout - time.Since(begun)
			switch {
			case awaitEnd(pidfd, min(left, restLook)):
				return "init ended after " + h.How
			case callsReboot(group):
				return "init ended after " + h.How + ": its reboot(2) has nobody to hear it, it is killed"
			case rest():
				return "init has nothing left to do after " + h.How + ": it is killed"
			case left <= 0:
				return "init didn't end after " + h.How + ": it is killed"
			}
		}
	}
}

// With the last copy of its listener a guest has lost reboot(2): its filter has the call
// fail (ENOSYS), and an init that has shut everything down waits for ever. restLook is
// how often that is looked for, restLooks how many looks in a row have to find it.
const (
	restLook  = 500 * time.Millisecond
	restLooks = 6
)

// callsReboot says whether a process of the guest's own pid namespace waits in reboot(2): for
// the answer of a monitor that has died, while its copy of the listener is kept.
func callsReboot(group limits.Group) bool {
	pids, err := group.Pids()
	if err != nil {
		return false
	}
	for _, pid := range pids {
		// Number and arguments of the call that a process sleeps in (proc_pid_syscall(5)).
		text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/syscall")
		if err != nil || !strings.Contains(string(text), " 0xfee1dead ") {
			continue
		}
		number, _, _ := strings.Cut(string(text), " ")
		if (number == strconv.Itoa(unix.SYS_REBOOT) || number == rebootI386) && isOwn(pid) {
			return true
		}
	}
	return false
}

// rebootI386 is the number of reboot(2) for 32-bit programs on amd64.
const rebootI386 = "88"

// isOwn says whether a process is of the guest's own pid namespace and none below it.
func isOwn(pid int) bool {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(data)) {
		if v, ok := strings.CutPrefix(line, "NSpid:"); ok {
			return len(strings.Fields(v)) == 2
		}
	}
	return false
}

// restingInit gives a function that says whether init is the only process that is left
// and has slept, without using the processor, for the last looks.
func restingInit(pid int, group limits.Group) (rest func() bool) {
	var last string
	looks := 0
	return func() bool {
		pids, err := group.Pids()
		used := cpuOf(pid)
		if err != nil || len(pids) != 1 || pids[0] != pid || used == "" || used != last {
			looks = 0
		}
		last = used
		looks++
		return looks > restLooks
	}
}

// cpuOf is the time that a sleeping process has used, as proc_pid_stat(5) writes it;
// "" if it doesn't sleep.
func cpuOf(pid int) string {
	f := statFields(pid)
	if len(f) < 13 || f[0] != "S" {
		return ""
	}
	return f[11] + " " + f[12]
}

func awaitEnd(pidfd int, timeout time.Duration) bool {
	deadline := time.Now().Add(timeout)
	for {
		left := max(time.Until(deadline), 0)
		fds := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, int(left.Milliseconds()))
		if n > 0 {
			return true
		}
		if !errors.Is(err, unix.EINTR) || left == 0 {
			return false
		}
	}
}

// findInit finds the process of the group that is the first of a pid namespace
// just below the host's. A pidfd is -1 if there is none.
func findInit(group limits.Group) (pid, pidfd int) {
	pids, err := group.Pids()
	if err != nil {
		return 0, -1
	}
	for _, pid := range pids {
		if !isInit(pid) {
			continue
		}
		fd, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			continue
		}
		// Once more, now that the pid can't become another's unnoticed.
		if isInit(pid) && alive(fd) {
			return pid, fd
		}
		unix.Close(fd)
	}
	return 0, -1
}

func isInit(pid int) bool {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	return err == nil && firstBelow(string(data))
}

// firstBelow reads NSpid of proc_pid_status(5): the pids of a process from the
// reader's namespace inwards.
func firstBelow(status string) bool {
	for line := range strings.Lines(status) {
		if v, ok := strings.CutPrefix(line, "NSpid:"); ok {
			f := strings.Fields(v)
			return len(f) == 2 && f[1] == "1"
		}
	}
	return false
}

package cgroupfs

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/limits"
)

// lookAgain is the longest wait between two looks at cgroup.events: the kernel's
// notice of a change comes up to 15 ms after it.
const lookAgain = 4 * time.Millisecond

// thawTime is how long a guest that would not freeze is watched until it runs.
const thawTime = time.Second

// Freeze implements limits.Group.
func (g *group) Freeze(timeout time.Duration) error {
	err := g.setFrozen(true, timeout)
	if errors.Is(err, limits.ErrTimeout) {
		err = fmt.Errorf("%w%s", err, g.hindrance())
		err = errors.Join(err, g.setFrozen(false, thawTime))
	}
	if err != nil {
		return fmt.Errorf("cannot freeze %q: %w", g.name, err)
	}
	return nil
}

// Thaw implements limits.Group.
func (g *group) Thaw(timeout time.Duration) error {
	err := g.setFrozen(false, timeout)
	if errors.Is(err, limits.ErrTimeout) {
		err = fmt.Errorf("%w%s", err, g.frozenAbove())
	}
	if err != nil {
		return fmt.Errorf("cannot thaw %q: %w", g.name, err)
	}
	return nil
}

// setFrozen writes cgroup.freeze of guest and waits for the effect. It has an fd of
// its own for cgroup.events: a look through EventsFD would take the notice from
// whoever polls that.
func (g *group) setFrozen(want bool, timeout time.Duration) error {
	deadline := time.Now().Add(timeout)
	events, err := g.guest.file("cgroup.events", unix.O_RDONLY)
	if err != nil {
		return err
	}
	defer unix.Close(events)
	value := "0"
	if want {
		value = "1"
	}
	if err := g.guest.write("cgroup.freeze", value); err != nil {
		return err
	}
	return waitFrozen(events, want, deadline)
}

// waitFrozen looks first and then sleeps, in poll's whole milliseconds.
func waitFrozen(events int, want bool, deadline time.Time) error {
	for pause := time.Millisecond; ; pause = min(2*pause, lookAgain) {
		text, err := readEvents(events)
		if err != nil {
			return err
		}
		if _, frozen, err := limits.Events(text); err != nil || frozen == want {
			return err
		}
		if !time.Now().Before(deadline) {
			return limits.ErrTimeout
		}
		poll := []unix.PollFd{{Fd: int32(events), Events: unix.POLLPRI}}
		if _, err := unix.Poll(poll, int(pause.Milliseconds())); err != nil && err != unix.EINTR {
			return err
		}
	}
}

// hindrance names a process with a thread in uninterruptible sleep: those can't be
// frozen.
func (g *group) hindrance() string {
	pids, err := pidsBelow(g.guest)
	if err != nil {
		return ""
	}
	for _, pid := range pids {
		if stuck(pid) {
			return fmt.Sprintf(": %s waits for the kernel and can't be stopped", describe(pid))
		}
	}
	return ""
}

func stuck(pid int) bool {
	tasks := fmt.Sprintf("/proc/%d/task", pid)
	threads, err := os.ReadDir(tasks)
	if err != nil {
		return false
	}
	for _, thread := range threads {
		if text, err := os.ReadFile(tasks + "/" + thread.Name() + "/stat"); err == nil && stateIn(string(text)) == 'D' {
			return true
		}
	}
	return false
}

// stateIn is the state letter in a stat file: two after the name's last bracket,
// for the name may hold anything.
func stateIn(stat string) byte {
	if i := strings.LastIndexByte(stat, ')'); i >= 0 && i+2 < len(stat) {
		return stat[i+2]
	}
	return 0
}

// frozenAbove names a group above guest that somebody froze: it holds guest too.
func (g *group) frozenAbove() string {
	parent, err := openBase(g.backend.tree.V2, g.base)
	if err != nil {
		return ""
	}
	defer parent.close()
	own, err := parent.open(g.name)
	if err != nil {
		return ""
	}
	defer own.close()
	for _, d := range []*dir{own, parent} {
		if text, err := d.read("cgroup.freeze"); err == nil && strings.TrimSpace(text) == "1" {
			return fmt.Sprintf(": somebody froze %s", d.path)
		}
	}
	return ""
}

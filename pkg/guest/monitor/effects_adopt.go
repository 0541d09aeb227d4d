package monitor

import (
	"errors"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	sysctx "github.com/sysct/sysct/pkg/context"
)

// takeOver finds the guest as the monitor before this one has left it.
func (m *monitor) takeOver(h *heritage) {
	death := ""
	if !h.renewed {
		death = m.tellDeath(h.crash)
	}
	f := m.takeGroup()
	f.Undoing = m.undoChange()
	f.Renewed, f.Upgraded, f.Death = h.renewed, h.asker >= 0, death
	m.takeNamespaces(h)
	m.endOldHooks()
	if fd, ok := h.take(fdInit); ok {
		m.inherit(fdInit, fd)
		m.pidfd = fd
		f.Alive = alive(fd)
		// Else it isn't looked at: reading a guest's memory may wait for what this monitor is to
		// answer.
		f.Booted = h.life.Phase == PhaseStored && booted(h.life.Pid)
	}
	if fd, ok := h.take(fdNotify); ok {
		m.inherit(fdNotify, fd)
		m.listenToInit(fd)
	}
	listener := -1
	if fd, ok := h.take(fdCalls); ok {
		m.inherit(fdCalls, fd)
		listener = fd
	}
	m.beginFigures(m.group, h.life.Pid, true)
	if fd, ok := h.take(fdViews); ok {
		m.inherit(fdViews, fd)
		m.serveViews(fd, true)
	} else if f.Alive && h.life.Phase == PhaseUp {
		m.mendViews() // the one before was killed while it did
	}
	m.takePlacing(h)
	for _, s := range m.screens {
		if fd, ok := h.take(s.name); ok {
			m.inherit(s.name, fd)
			m.setMaster(s, fd)
		}
	}
	if f.Alive {
		m.screens[0].tap(m.screens[0].ring.Last(len(prompt)))
	}
	if h.renewed {
		run := m.core.Run()
		m.lastRun = &run // it was written by this process
	}
	m.screens[0].boot = h.life.Shown
	m.emit(Adopt{f})
	m.takeEntered(h)
	m.listenToCalls(listener) // after it: a call that waits is news of this life
	if h.life.Phase == PhaseUp || h.life.Phase == PhaseStored && f.Alive && f.Booted {
		m.watchTaken(h.life)
	}
	m.answerUpgrade(h.asker)
}

func (m *monitor) takeGroup() (f Facts) {
	var err error
	if m.group, err = m.openGroup(); err == nil && m.group != nil {
		_, f.Frozen, err = m.group.Events()
	}
	if err != nil {
		m.log.say(err.Error())
	}
	return f
}

// watchTaken looks after an init that was taken over. One that nobody has a
// pidfd of can't be found again.
func (m *monitor) watchTaken(life *Life) {
	if m.pidfd < 0 {
		m.emit(InitEnded{})
		return
	}
	m.watchInit(life.Pid)
	m.watchAlarm()
	if (life.Ready || life.Overdue) && m.lastRun == nil {
		m.notifyManager("READY", "1")
	}
}

func alive(pidfd int) bool {
	fds := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(fds, 0)
		if !errors.Is(err, unix.EINTR) {
			return err == nil && n == 0
		}
	}
}

// booted says whether a process is the guest's init, and no longer the stage or
// one that is dying: that has no command line left.
func booted(pid int) bool {
	cmdline, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
	return err == nil && len(cmdline) > 0 && !strings.HasPrefix(string(cmdline), sysctx.StageName+"\x00")
}

// pidOf is the process of a pidfd.
func pidOf(pidfd int) (int, error) {
	data, err := os.ReadFile("/proc/self/fdinfo/" + strconv.Itoa(pidfd))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(data)) {
		if v, ok := strings.CutPrefix(line, "Pid:"); ok {
			return strconv.Atoi(strings.TrimSpace(v))
		}
	}
	return 0, unix.EBADF
}

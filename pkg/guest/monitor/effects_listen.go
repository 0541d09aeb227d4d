package monitor

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/guest/control"
)

// What enters a guest, by exec or shell, has a system call filter of its own, with a
// listener of its own, as a filter is inherited only. Who let it in hands that listener
// over; it is kept and served like the guest's own, until no process has that filter any
// more.

const (
	// spareKept is how much room in the store listeners leave for other descriptors.
	spareKept = 8
	// lateListeners is how many may be handed over that were promised a place by the same
	// answer.
	lateListeners = 8
)

// listening says whether a listener may be handed over, and if not, whether that is for lack
// of room.
func (m *monitor) listening() (may, full bool) {
	if m.calls.number == 0 || !m.plan.Context.Sysinfo {
		return false, false
	}
	full = m.roomToKeep() <= spareKept+lateListeners
	return !full, full
}

// roomToKeep is how many more descriptors can be kept: by the service manager, and by this
// process, which has them two or three times at its next execution.
func (m *monitor) roomToKeep() int {
	most := m.manager.room()
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err == nil && limit.Cur/4 < uint64(most) {
		most = int(limit.Cur / 4)
	}
	return most - len(m.kept)
}

// askedListen takes a listener over.
func (m *monitor) askedListen(p *peer, fds []int) {
	var bad *control.Error
	switch {
	case len(fds) != 1 || !isListener(fds[0]):
		bad = control.Errorf(control.KindInvalid, "a listener of system calls is wanted")
	case m.calls.number == 0 || m.roomToKeep() <= spareKept:
		bad = control.Errorf(control.KindState, "no listener of system calls is taken now")
	}
	if bad == nil {
		if err := m.enteredBy(m.calls.last+1, fds[0]); err != nil {
			bad = control.Errorf(control.KindFailed, "%v", err)
		}
	}
	if bad != nil {
		control.CloseAll(fds)
		m.answer(p, control.Response{Error: bad})
		return
	}
	m.keep(enteredName(m.calls.last), fds[0])
	m.barrier() // who hands it over lets it go then
	m.answer(p, control.Response{})
}

// enteredBy serves a listener under a number.
func (m *monitor) enteredBy(number, listener int) error {
	if err := m.addListener(number, listener, false); err != nil {
		return err
	}
	m.calls.last = max(m.calls.last, number)
	m.calls.entered = append(m.calls.entered, number)
	return nil
}

func enteredName(number int) string { return fdEntered + strconv.Itoa(number) }

// isListener says whether a descriptor is a listener. Source: init_listener, kernel/seccomp.c.
func isListener(fd int) bool {
	link, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
	return err == nil && link == "anon_inode:seccomp notify"
}

// takeEntered takes over the listeners that the monitor before this one has kept.
func (m *monitor) takeEntered(h *heritage) {
	for name := range h.fds {
		text, ok := strings.CutPrefix(name, fdEntered)
		if !ok {
			continue
		}
		fd, _ := h.take(name)
		number, err := strconv.Atoi(text)
		if err == nil {
			err = m.enteredBy(number, fd)
		}
		if err != nil {
			m.log.say(err.Error())
			unix.Close(fd)
			continue
		}
		m.inherit(name, fd)
	}
}

// unlisten lets a listener go that nobody calls on any more.
func (m *monitor) unlisten(number int) {
	i := slices.Index(m.calls.entered, number)
	if i < 0 {
		return
	}
	m.calls.entered = slices.Delete(m.calls.entered, i, i+1)
	m.drop(enteredName(number))
	m.calls.server.Remove(number)
}

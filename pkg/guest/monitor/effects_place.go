package monitor

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// maxPlaceTries is how often a process is sent to put the views in their places: one that
// hangs in the guest's file systems stays there.
const maxPlaceTries = 6

// placing is a new file system of the views on its way into the guest. It is with the
// service manager until all of it is there, so that the next monitor can go on.
type placing struct {
	mount int
	tries int           // that have begun
	under bool          // one is under way
	at    time.Duration // of the next one, monotonic; 0: at once
}

// placeIfDue has another process put the views in their places. What has failed is tried
// again, later each time.
func (m *monitor) placeIfDue(mono time.Duration) {
	p := m.views.placing
	if p == nil || p.under || mono < p.at {
		return
	}
	if m.pidfd < 0 || !alive(m.pidfd) {
		m.placed()
		return
	}
	mount, err := unix.FcntlInt(uintptr(p.mount), unix.F_DUPFD_CLOEXEC, 3)
	p.tries++
	if err != nil {
		m.placeEnded(p, fmt.Errorf("cannot duplicate descriptor: %w", err))
		return
	}
	p.under, p.at = true, 0
	pid, pidfd := m.core.Life.Pid, m.pidfd
	m.background(func() func() {
		err := placeAnew(pid, pidfd, mount, m.plan.Context.Views)
		return func() {
			p.under = false
			if m.views.placing == p {
				m.placeEnded(p, err)
			}
		}
	})
}

func (m *monitor) placeEnded(p *placing, err error) {
	switch {
	case err == nil:
		m.log.say("the connection of the guest's views had ended: they are mounted anew")
	case p.tries < maxPlaceTries:
		pause := mendPause << (p.tries - 1)
		m.log.say(fmt.Sprintf("cannot mount all of the guest's views anew, next try in %v: %v", pause, err))
		p.at = now().Mono + pause
		return
	default:
		m.log.say("cannot mount all of the guest's views anew: " + err.Error())
	}
	m.placed()
}

// placed lets go of the file system: it is in its places, or has none any more.
func (m *monitor) placed() {
	m.drop(fdMend)
	if p := m.views.placing; p != nil {
		unix.Close(p.mount)
		m.views.placing = nil
	}
	if l := m.views.letter; l > 0 {
		unix.Close(l)
		m.views.letter = 0
	}
}

// keepMount leaves the new file system with the service manager, in a letter that only a
// monitor opens.
func (m *monitor) keepMount(mount int) {
	l, err := newLetter(mount)
	if err != nil {
		m.log.say("if this monitor dies now, the views that aren't in their places stay away: " + err.Error())
		return
	}
	m.keep(fdMend, l)
	m.views.letter = l
}

// takePlacing goes on with what the monitor before this one hasn't finished. A process of
// that one may still be at it.
func (m *monitor) takePlacing(h *heritage) {
	fd, ok := h.take(fdMend)
	if !ok {
		return
	}
	m.inherit(fdMend, fd)
	mount, err := openLetter(fd)
	switch {
	case errors.Is(err, errNoLetter): // an older monitor left it as it is
		mount = fd
		m.keepMount(mount)
	case err != nil:
		m.log.say(err.Error())
		m.drop(fdMend)
		unix.Close(fd)
		return
	default:
		m.views.letter = fd
	}
	m.views.placing = &placing{mount: mount, at: now().Mono + mendPause}
	if m.views.dev < 0 { // that connection has ended as well
		m.placed()
	}
}

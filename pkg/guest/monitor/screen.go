package monitor

import (
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/guest/console"
	"github.com/sysct/sysct/pkg/guest/control"
)

// Sizes of the rings: the console's past is worth more than a tty's, of which
// most are never used. Only pages that were written to use memory.
const (
	consoleRing = console.MinTTYRing
	ttyRing     = console.MinTTYRing
)

// screen is the console or a tty of the guest, for as long as the life lasts:
// each boot brings another pty.
type screen struct {
	name string // console, tty1, …; the pty master is stored under it
	ring *console.Ring
	log  *console.Log
	tty  *console.TTY
	tail []byte // of the console's output: a prompt may come in pieces
	news bool   // the tail has changed since it was looked at
	boot uint64 // what the ring had seen when this boot began
}

func screenName(i int) string {
	if i == 0 {
		return "console"
	}
	return "tty" + strconv.Itoa(i)
}

// openScreens makes the screens, or takes over their rings.
func (m *monitor) openScreens(h *heritage, logDir int) error {
	buffer := make([]byte, 64<<10)
	for i := range m.plan.Context.TTYs + 1 {
		s := &screen{name: screenName(i)}
		if err := m.openRing(h, s); err != nil {
			return err
		}
		o := console.Options{Master: -1, Ring: s.ring, Buffer: buffer, Gone: m.streamGone}
		if i == 0 {
			log, err := console.NewLog(logDir, m.plan.Name+".console.log",
				console.LogOptions{Size: m.plan.LogSize, Files: m.plan.LogFiles})
			if err != nil {
				return err
			}
			s.log, o.Log = log, log
			o.Tap = s.tap
		}
		var err error
		if s.tty, err = console.NewTTY(o); err != nil {
			return err
		}
		s.tty.Resume(now().Wall)
		m.screens = append(m.screens, s)
	}
	return nil
}

func (m *monitor) openRing(h *heritage, s *screen) error {
	name := fdRing + s.name
	if fd, ok := h.take(name); ok {
		ring, err := console.OpenRing(fd)
		if err == nil {
			s.ring = ring
			m.inherit(name, fd)
			return nil
		}
		m.log.say("the past of " + s.name + " is lost: " + err.Error())
		unix.Close(fd)
	}
	size := ttyRing
	if s.name == "console" {
		size = consoleRing
	}
	ring, err := console.NewRing(size)
	if err != nil {
		return err
	}
	s.ring = ring
	m.keep(name, ring.FD())
	return nil
}

// setMaster gives a screen the pty of a boot, or takes it away with -1.
func (m *monitor) setMaster(s *screen, master int) {
	if old := s.tty.Master(); old >= 0 {
		m.loop.Remove(old)
	}
	if err := s.tty.Replace(now().Wall, master); err != nil {
		m.log.say(s.name + ": " + err.Error())
		return
	}
	if master < 0 {
		s.tail, s.news = s.tail[:0], false // the next boot shows a prompt of its own
		return
	}
	if err := m.loop.Add(master, console.Events, func(ev uint32) { s.tty.Ready(now().Wall, master, ev) }); err != nil {
		m.log.say(s.name + ": " + err.Error())
	}
}

// prompt is what getty and login end a line with to ask for a name.
const prompt = "login: "

// tap keeps the end of the console's output.
func (s *screen) tap(p []byte) {
	s.tail = append(s.tail, p[max(0, len(p)-len(prompt)):]...)
	s.tail = append(s.tail[:0], s.tail[max(0, len(s.tail)-len(prompt)):]...)
	s.news = true
}

// lookForPrompt notices a login prompt at the end of what the console shows.
func (m *monitor) lookForPrompt() {
	s := m.screens[0]
	if !s.news || !m.core.WantsPrompt() {
		return
	}
	s.news = false
	if string(s.tail) == prompt {
		m.emit(Prompted{Systemd: isSystemd(m.core.Life.Pid)})
	}
}

// attach gives a client a stream to a screen.
func (m *monitor) attach(p *peer, req *control.Request) {
	if req.TTY < 0 || req.TTY >= len(m.screens) {
		m.answer(p, control.Response{Error: control.Errorf(control.KindAbsent,
			"the guest has the console (0) and %d ttys", len(m.screens)-1)})
		return
	}
	if p.screen != nil {
		m.answer(p, control.Response{Error: control.Errorf(control.KindBusy, "this connection is attached already")})
		return
	}
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		err = m.join(p, m.screens[req.TTY], ends[0], req.Rows, req.Cols)
		if err != nil {
			unix.Close(ends[0])
			unix.Close(ends[1])
		}
	}
	if err != nil {
		m.answer(p, control.Response{Error: control.Errorf(control.KindFailed, "cannot attach: %v", err)})
		return
	}
	run := m.core.Run()
	m.answer(p, control.Response{Run: &run}, ends[1])
	unix.Close(ends[1])
}

func (m *monitor) join(p *peer, s *screen, stream int, rows, cols uint16) error {
	if err := m.loop.Add(stream, console.Events, func(ev uint32) { s.tty.Ready(now().Wall, stream, ev) }); err != nil {
		return err
	}
	if err := s.tty.Attach(now().Wall, stream, rows, cols); err != nil {
		m.loop.Remove(stream)
		return err
	}
	p.screen, p.stream = s, stream
	return nil
}

// streamGone is told of a stream that is about to be closed. The client's
// connection says so by itself.
func (m *monitor) streamGone(fd int) {
	m.loop.Remove(fd)
	for _, p := range m.peers {
		if p.screen != nil && p.stream == fd {
			p.screen, p.stream = nil, -1
		}
	}
}

// detach ends a client's stream, if it has one.
func (m *monitor) detach(p *peer) {
	if p.screen == nil {
		return
	}
	s, fd := p.screen, p.stream
	p.screen, p.stream = nil, -1
	if err := s.tty.Detach(now().Wall, fd); err != nil {
		m.log.say(fmt.Sprintf("%s: %v", s.name, err))
	}
}

// consoleTail is the end of this boot's output on the console, for a report.
func (m *monitor) consoleTail(lines int) []string {
	s := m.screens[0]
	past := s.ring.Snapshot()
	fresh := s.ring.Written() - s.boot
	return console.Tail(past[max(0, len(past)-int(min(fresh, 1<<30))):], lines)
}

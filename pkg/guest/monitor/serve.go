package monitor

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/guest/control"
)

// maxPeers bounds the clients that are connected at a time; others wait in the
// socket's queue.
const maxPeers = 256

// acceptAll takes the clients that wait, and what they ask: they have mostly asked by
// now.
func (m *monitor) acceptAll() {
	first := m.lastID + 1
	m.accept()
	for id := first; id <= m.lastID; id++ {
		if p := m.peers[id]; p != nil {
			m.receive(id, p)
		}
	}
}

func (m *monitor) accept() {
	for len(m.peers) < maxPeers {
		cp, err := control.Accept(m.listen)
		if errors.Is(err, control.ErrAgain) {
			return
		}
		if err != nil {
			m.log.say(err.Error())
			return
		}
		m.lastID++
		id := m.lastID
		cp.Program = m.version
		p := &peer{Peer: cp, stream: -1}
		if err := m.loop.Add(p.FD(), unix.EPOLLIN|unix.EPOLLRDHUP, func(uint32) { m.receive(id, p) }); err != nil {
			m.log.say(err.Error())
			p.Close()
			continue
		}
		m.peers[id] = p
	}
	// Until somebody leaves: a queue that isn't emptied would wake the loop again
	// and again.
	m.loop.Remove(m.listen)
}

// receive takes what a client has sent.
func (m *monitor) receive(id int, p *peer) {
	for m.peers[id] == p {
		req, fds, err := p.Receive()
		var bad *control.Error
		switch {
		case err == nil && req.Op == control.OpUpgrade:
			m.askedUpgrade(id, p, req, fds)
		case err == nil && req.Op == control.OpListen:
			m.askedListen(p, fds)
		case err == nil:
			m.request(id, p, req, fds)
			control.CloseAll(fds)
		case errors.Is(err, control.ErrAgain):
			return
		case errors.As(err, &bad): // it was answered
		default:
			if !errors.Is(err, io.EOF) {
				m.log.say(err.Error())
			}
			m.hangUp(id)
			return
		}
	}
}

// request does what concerns screens and managers here; the rest is the core's.
func (m *monitor) request(id int, p *peer, req *control.Request, fds []int) {
	switch req.Op {
	case control.OpConsole:
		m.attach(p, req)
	case control.OpResize:
		if p.screen != nil {
			p.screen.tty.Resize(req.Rows, req.Cols) // only for the looks
		}
	case control.OpAdopt:
		m.adoptedBy(p, req)
	default:
		change, err := readChange(req.Op, fds)
		if err != nil {
			m.answer(p, control.Response{Error: control.Errorf(control.KindInvalid, "%v", err)})
			return
		}
		m.emit(Asked{id, req, change})
	}
}

// adoptedBy answers a new manager, and then leaves everything with it: it takes
// messages only from those whose answer it has.
func (m *monitor) adoptedBy(p *peer, req *control.Request) {
	self, err := unix.PidfdOpen(os.Getpid(), 0)
	if err != nil {
		m.answer(p, control.Response{Error: control.Errorf(control.KindFailed, "cannot open own pidfd: %v", err)})
		return
	}
	defer unix.Close(self)
	pid := p.Pid()
	m.answer(p, control.Response{Pid: os.Getpid()}, self)
	m.changeManager(req.Notify, pid, req.Watchdog)
}

// answer sends an answer. A client that doesn't take it is dropped when it is
// next heard of.
func (m *monitor) answer(p *peer, resp control.Response, fds ...int) {
	m.awaitNotes()
	if err := p.Reply(&resp, fds...); err != nil && !errors.Is(err, unix.EPIPE) {
		m.log.say(err.Error())
	}
}

// hangUp ends a client's connection.
func (m *monitor) hangUp(id int) {
	p := m.peers[id]
	m.loop.Remove(p.FD())
	m.dropUpgrade(id)
	m.detach(p)
	p.Close()
	delete(m.peers, id)
	if m.served++; m.served >= renewClients {
		m.renewLater()
	}
	if len(m.peers) == maxPeers-1 {
		if err := m.loop.Add(m.listen, unix.EPOLLIN, func(uint32) { m.acceptAll() }); err != nil {
			m.log.say(err.Error())
		}
	}
	m.emit(ClientGone{id})
}

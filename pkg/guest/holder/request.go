package holder

import (
	"errors"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/guest/control"
)

// serveClient takes what a client has sent.
func (h *holder) serveClient(p *control.Peer) {
	for {
		req, fds, err := p.Receive()
		var bad *control.Error
		switch {
		case err == nil:
		case errors.Is(err, control.ErrAgain):
			return
		case errors.Is(err, io.EOF):
			h.closeClient(p)
			return
		case errors.As(err, &bad):
			continue // it was answered
		default:
			h.log.printf("%v", err)
			h.closeClient(p)
			return
		}
		if resp := h.answer(p, req, fds); resp != nil && p.Reply(resp) != nil {
			h.closeClient(p)
			return
		}
	}
}

// answer does what a request asks for. It closes the request's descriptors,
// or has handed them on. A nil answer comes later.
func (h *holder) answer(p *control.Peer, req *control.Request, fds []int) *control.Response {
	switch req.Op {
	case control.OpStart:
		return h.answerStart(p, req, fds)
	case control.OpUpgrade:
		return h.answerUpgrade(p, req, fds)
	case control.OpReap:
		control.CloseAll(fds)
		h.reap()
		status, ok := h.exits.get(req.Pid)
		if !ok {
			return failure(control.KindAbsent, "no process %d was reaped here", req.Pid)
		}
		n := int(status)
		return &control.Response{Status: &n}
	case control.OpStatus:
		control.CloseAll(fds)
		return &control.Response{Pid: os.Getpid()}
	}
	control.CloseAll(fds)
	return &control.Response{Error: control.Unknown(req.Op, h.version)}
}

func (h *holder) answerStart(p *control.Peer, req *control.Request, fds []int) *control.Response {
	if len(fds) != 2 || !plausible(req.Name) || !strings.HasPrefix(req.Helper, "/") {
		control.CloseAll(fds)
		return failure(control.KindInvalid, "a start takes a name, a helper, a plan and a report")
	}
	w := &waiting{peer: p, helper: req.Helper, plan: fds[0], report: fds[1]}
	// What the monitor before this one has said last decides.
	h.drainNotify()
	if old := h.monitors[req.Name]; old != nil {
		if !old.done || old.next != nil {
			control.CloseAll(fds)
			return failure(control.KindState, "the monitor of %s runs already", req.Name)
		}
		old.next = w
		// One that waits for the lock of its guest, to destroy it, would wait for us.
		if err := unix.PidfdSendSignal(old.pidfd, unix.SIGTERM, nil, 0); err != nil && err != unix.ESRCH {
			h.log.printf("cannot tell the monitor of %s to end: %v", req.Name, err)
		}
		return nil
	}
	return h.start(req.Name, w)
}

// plausible says whether a name can be one of a directory. What a guest may be
// called is decided by those who made it.
func plausible(name string) bool {
	return name != "" && name[0] != '.' && len(name) <= 255 && !strings.ContainsAny(name, "/:\x00\n")
}

func failure(kind control.Kind, format string, args ...any) *control.Response {
	return &control.Response{Error: control.Errorf(kind, format, args...)}
}

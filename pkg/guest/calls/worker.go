package calls

import (
	"errors"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/context/seccomp"
)

// worker takes one call after the other. Of several only the leader does; those before it
// hang, and end when they don't any more.
type worker struct {
	s      *Server
	turn   atomic.Uint64 // odd: a call is being answered
	pid    atomic.Uint32 // whose
	hangs  atomic.Bool
	writer writer
	kin    kin
	budget budget
	spent  int // of it, and not told yet
	buf    [size64]byte
	said   string
}

// pause is how long a worker waits that can't go on.
const pause = 50 * time.Millisecond

func (w *worker) run() {
	for !w.hangs.Load() {
		n := w.s.nextInherited()
		if n == nil {
			break
		}
		w.inherited(n)
	}
	var events [1]unix.EpollEvent
	for !w.hangs.Load() {
		n, err := unix.EpollWait(w.s.epoll, events[:], -1)
		switch {
		case err == unix.EINTR:
		case err != nil:
			w.trouble(err)
		case n > 0:
			w.event(int(events[0].Fd), events[0].Events)
		}
	}
	w.s.recovered(w)
}

// trouble says what is wrong, once, and waits: calls must not wait for ever.
func (w *worker) trouble(err error) {
	if err.Error() != w.said {
		w.said = err.Error()
		w.s.o.Say("cannot hear the guest's calls, trying again: " + w.said)
	}
	time.Sleep(pause)
}

// begin starts a turn; false: there is a pause.
func (w *worker) begin() bool {
	w.turn.Add(1)
	if w.s.paused.Load() {
		w.turn.Add(1)
		time.Sleep(time.Millisecond)
		return false
	}
	if !w.s.watched.Swap(true) {
		w.s.o.Watch()
	}
	return true
}

// event answers one call of a listener that is ready.
func (w *worker) event(number int, events uint32) {
	l := w.s.use(number)
	if l == nil {
		return
	}
	defer w.s.unuse(l)
	if events&unix.EPOLLIN == 0 {
		if events&unix.EPOLLHUP != 0 {
			unix.EpollCtl(w.s.epoll, unix.EPOLL_CTL_DEL, l.fd, nil)
			w.s.o.Unused(number)
		}
		return
	}
	if !w.begin() {
		return
	}
	cost, err := w.receive(l)
	w.turn.Add(1)
	if err != nil {
		w.trouble(err)
	} else {
		w.rest(cost)
	}
}

// receive takes a call and answers it, or has the owner do so.
func (w *worker) receive(l *listener) (cost int, err error) {
	n := w.s.claim()
	if n == nil {
		return 0, errors.New("too many of them wait")
	}
	if err = w.s.o.Failpoint("hear call"); err == nil {
		err = seccomp.Receive(l.fd, n)
	}
	switch {
	case err == nil:
		return w.handle(l, n), nil
	case errors.Is(err, seccomp.ErrNone):
		cost, err = costSysinfo, nil
	}
	w.s.unclaim(n)
	return cost, err
}

// inherited goes on with a call that another server has received.
func (w *worker) inherited(n *seccomp.Notification) {
	l := w.s.caller(n.ID)
	if l == nil {
		w.done(n)
		return
	}
	defer w.s.unuse(l)
	for !w.begin() {
	}
	w.handle(l, n)
	w.turn.Add(1)
}

// What calls cost, in about that of a sysinfo(2). Anybody may make the others, too, so none of
// them may keep the worker from going on.
const (
	costSysinfo = 1
	costOther   = 4
)

// handle answers a call, or has the owner do so, and lets go of its slot.
func (w *worker) handle(l *listener, n *seccomp.Notification) (cost int) {
	w.pid.Store(n.Pid)
	if w.s.isSysinfo(n) {
		w.answer(l, n)
		return costSysinfo
	}
	w.s.o.Failpoint("judge call") // a successor finds it in the slot
	other, full := *n, w.s.manyTaken()
	w.s.unclaim(n) // the owner may be done with it before Other is
	if full || !w.s.o.Other(l.own, &other) {
		_ = w.s.Continue(other.ID) // or its caller has gone
	}
	return costOther
}

// done empties a slot, and lets it go.
func (w *worker) done(n *seccomp.Notification) {
	n.ID = 0
	w.s.unclaim(n)
}

// pass has the kernel carry a call out.
func (w *worker) pass(l *listener, n *seccomp.Notification) {
	if err := seccomp.Continue(l.fd, n.ID); err != nil && !errors.Is(err, seccomp.ErrNone) {
		w.s.o.Say("cannot let the guest go on: " + err.Error())
	}
	w.done(n)
}

// answer writes the figures into the caller's memory. What can't be written to is left to
// the kernel, which fails where it would have failed.
func (w *worker) answer(l *listener, n *seccomp.Notification) {
	f, ok := w.s.sysinfo()
	if !ok || n.Pid == 0 || w.s.stuck.Load() >= maxStuck || w.kin.other(&w.writer, n.Pid, w.s.o.Init()) {
		w.pass(l, n)
		return
	}
	clear(w.buf[:])
	addr, wide := addressOf(n)
	var data []byte // by calls, not by a variable for both: f would be on the heap then
	if wide {
		data = encode64(&w.buf, &f)
	} else {
		data = encode32(&w.buf, &f)
	}
	defer w.writer.close()
	switch err := w.writer.write(l.fd, n, addr, data); {
	case errors.Is(err, seccomp.ErrNone):
		w.done(n)
	case err != nil:
		w.pass(l, n)
	default:
		w.s.o.Failpoint("answer call")
		if err := seccomp.Answer(l.fd, n.ID); err != nil && !errors.Is(err, seccomp.ErrNone) {
			w.s.o.Say("cannot answer the guest: " + err.Error())
		}
		w.done(n)
	}
}

// rest waits if calls have cost too much.
func (w *worker) rest(cost int) {
	if w.spent += cost; w.spent < budgetStep {
		return
	}
	wait := max(w.budget.spend(w.spent, time.Now()), w.s.o.Rest())
	w.spent = 0
	if wait > 0 {
		time.Sleep(wait)
	}
}

// budget bounds how often a guest may call: after a burst so many times in a second.
type budget struct {
	left int
	at   time.Time
}

const (
	budgetBurst = 200_000
	budgetRate  = 80_000
	budgetStep  = 64 // after how much it is looked at the clock
)

// spend says how long to wait.
func (b *budget) spend(cost int, t time.Time) time.Duration {
	if b.at.IsZero() {
		b.left, b.at = budgetBurst, t
	}
	b.left = max(min(budgetBurst, b.left+int(t.Sub(b.at).Seconds()*budgetRate))-cost, -budgetRate)
	b.at = t
	if b.left >= 0 {
		return 0
	}
	return min(pause, time.Duration(-b.left)*time.Second/budgetRate)
}

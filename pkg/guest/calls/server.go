package calls

import (
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/context/seccomp"
	"github.com/sysct/sysct/pkg/views"
)

// Options are what a Server asks of its owner. All but Init, Rest and Failpoint are needed. They are called
// in the worker's goroutine, and must not wait for the owner's.
type Options struct {
	// Figures gives what sysinfo(2) answers; an error: the kernel answers.
	Figures func() (views.Snapshot, error)
	// Other takes any other call; false: the kernel is to carry it out. A call that was
	// taken waits for Continue. It isn't asked while maxTaken wait for that.
	Other func(own bool, n *seccomp.Notification) bool
	// Init is the process of the guest's init, as the host numbers it; 0: it isn't known.
	Init func() int
	// Unused says that no process is left that could call on a listener.
	Unused func(number int)
	// Watch has the owner call Check every CheckAfter until that says false.
	Watch func()
	Say   func(text string)
	// Rest, if set, is asked now and then while calls are answered: how long not to.
	Rest func() time.Duration
	// Failpoint, if set, is called at named points; an error stands in for what comes next.
	Failpoint func(name string) error
}

// CheckAfter is how often a worker is looked after while there is work.
const CheckAfter = 100 * time.Millisecond

// patience is how many times a call may be found to be under way: on a host that is busy a
// worker may not get a CPU for long.
const patience = 6

// maxStuck is how many workers may hang. Each is a thread, some 50 KiB.
const maxStuck = 4

// maxTaken is how many calls may wait for the owner. One that means something is made once in a
// guest's life.
const maxTaken = 8

// Server answers the calls of a guest. Its methods may be called from any goroutine.
type Server struct {
	o     Options
	epoll int
	arch  []seccomp.Number // of sysinfo(2)

	mu        sync.Mutex
	slots     slots
	inherited []*seccomp.Notification // what another server has received, and nobody has taken yet
	listeners map[int]*listener       // by number

	hanging []*worker
	leader  atomic.Pointer[worker]
	stuck   atomic.Int32
	paused  atomic.Bool
	watched atomic.Bool
	seen    uint64 // by Check: the leader's turn
	late    int    // how often it has seen that same one

	figures figures
}

// listener is a descriptor that calls are received on.
type listener struct {
	fd     int
	number int
	own    bool // the guest's own, not that of a process that has entered
	users  int
	gone   bool
}

// New makes a server with memory of SlotsSize that outlasts it. It answers nothing before
// Start.
func New(memory []byte, o Options) (*Server, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if o.Rest == nil {
		o.Rest = func() time.Duration { return 0 }
	}
	if o.Init == nil {
		o.Init = func() int { return 0 }
	}
	if o.Failpoint == nil {
		o.Failpoint = func(string) error { return nil }
	}
	return &Server{o: o, epoll: epoll, slots: slots{memory: memory}, arch: seccomp.Numbers("sysinfo"), listeners: map[int]*listener{}}, nil
}

// Add has the calls of a listener answered. The descriptor is the server's from then on.
// number: of the owner's choice, one that no other listener has.
func (s *Server) Add(number, fd int, own bool) error {
	seccomp.SyncWake(fd)
	s.mu.Lock()
	defer s.mu.Unlock()
	ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(number)}
	if err := unix.EpollCtl(s.epoll, unix.EPOLL_CTL_ADD, fd, &ev); err != nil {
		return fmt.Errorf("cannot wait for the guest's calls: %w", os.NewSyscallError("epoll_ctl", err))
	}
	s.listeners[number] = &listener{fd: fd, number: number, own: own}
	return nil
}

// Remove closes a listener, when its last call is answered.
func (s *Server) Remove(number int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.listeners[number]
	if l == nil {
		return
	}
	delete(s.listeners, number)
	unix.EpollCtl(s.epoll, unix.EPOLL_CTL_DEL, l.fd, nil)
	l.gone = true
	l.close()
}

func (l *listener) close() {
	if l.gone && l.users == 0 {
		unix.Close(l.fd)
	}
}

// use holds a listener open; nil: it is gone.
func (s *Server) use(number int) *listener {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.listeners[number]
	if l != nil {
		l.users++
	}
	return l
}

func (s *Server) unuse(l *listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l.users--
	l.close()
}

// caller is the listener on which a call waits; nil: it doesn't any more.
func (s *Server) caller(id uint64) *listener {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.listeners {
		if seccomp.Valid(l.fd, id) {
			l.users++
			return l
		}
	}
	return nil
}

// claim gives the worker a slot; nil: there is none without a call.
func (s *Server) claim() *seccomp.Notification {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.slots.claim()
}

func (s *Server) unclaim(n *seccomp.Notification) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.slots.unclaim(n)
}

// manyTaken says whether no more calls are to wait for the owner.
func (s *Server) manyTaken() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.slots.waiting() >= maxTaken
}

// claimWaiting claims all slots with calls that another server has received.
func (s *Server) claimWaiting() (waiting []*seccomp.Notification) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range slotCount {
		if n := s.slots.at(i); n.ID != 0 {
			s.slots.claimed[i] = true
			waiting = append(waiting, n)
		}
	}
	return waiting
}

// nextInherited takes the next of the calls that another server has received: whoever leads goes
// on with them, for the one before may hang in one. nil: all are taken.
func (s *Server) nextInherited() *seccomp.Notification {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.inherited) == 0 {
		return nil
	}
	n := s.inherited[0]
	s.inherited = s.inherited[1:]
	return n
}

// Start begins to answer; first those calls that another server has received, and not
// answered, if it had the same listeners.
func (s *Server) Start() {
	if s.leader.Load() == nil {
		s.inherited = s.claimWaiting()
		s.lead()
	}
}

func (s *Server) lead() {
	w := &worker{s: s}
	s.leader.Store(w)
	go w.run()
}

// Continue has the kernel carry out a call that Other took. seccomp.ErrNone: nobody waits
// for it any more.
func (s *Server) Continue(id uint64) error {
	l := s.caller(id)
	err := seccomp.ErrNone
	if l != nil {
		err = seccomp.Continue(l.fd, id)
		s.unuse(l)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.slots.free(id)
	return err
}

// Check sees whether the worker gets on, and has another one take the place of one that
// doesn't. It is called every CheckAfter, from Watch on, until it says false.
func (s *Server) Check() bool {
	w := s.leader.Load()
	turn := w.turn.Load()
	switch {
	case turn != s.seen:
		s.seen, s.late = turn, 0
	case turn&1 == 0:
		s.watched.Store(false)
		// One that begins now may have seen that it was watched.
		if w.turn.Load() == turn {
			return false
		}
		s.watched.Store(true)
	case s.late < patience:
		s.late++
	case s.stuck.Load() < maxStuck:
		s.hangs(w)
		s.seen, s.late = 0, 0
		s.lead()
		s.o.Say(fmt.Sprintf("process %d has sysinfo(2) answered into memory that doesn't respond", w.pid.Load()))
	}
	return true
}

// hangs takes note of a worker that doesn't get on.
func (s *Server) hangs(w *worker) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stuck.Add(1)
	s.hanging = append(s.hanging, w)
	w.hangs.Store(true)
}

// recovered takes note that one that hung has ended.
func (s *Server) recovered(w *worker) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hanging = slices.DeleteFunc(s.hanging, func(o *worker) bool { return o == w })
	s.stuck.Add(-1)
}

// Hanging is the pid of a process of the guest that a worker hangs in; 0: there is none.
func (s *Server) Hanging() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.hanging) == 0 {
		return 0
	}
	return int(s.hanging[0].pid.Load())
}

// Pause keeps calls waiting, as before this process is replaced by another program; false:
// a worker hangs, and would keep that from happening. Nothing is paused then.
func (s *Server) Pause() bool {
	s.paused.Store(true)
	for range 20 {
		if s.stuck.Load() > 0 {
			break
		}
		if w := s.leader.Load(); w == nil || w.turn.Load()&1 == 0 {
			return true
		}
		time.Sleep(time.Millisecond)
	}
	s.Resume()
	return false
}

// Resume ends a pause.
func (s *Server) Resume() { s.paused.Store(false) }

// isSysinfo says which call it is.
func (s *Server) isSysinfo(n *seccomp.Notification) bool {
	for _, a := range s.arch {
		if a.Arch == n.Arch && a.Number == n.Number {
			return true
		}
	}
	return false
}

// figures are kept for a moment: a guest that asks again and again costs little.
type figures struct {
	mu   sync.Mutex
	last views.Snapshot
	at   time.Time // zero: there are none
	life time.Duration
	said string
}

// figuresLife is as long as /proc/meminfo is kept by the kernel. Where figures take long to
// read they live longer, so that they are read a tenth of the time at most.
const figuresLife = 50 * time.Millisecond

func (s *Server) sysinfo() (views.SysinfoFigures, bool) {
	f := &s.figures
	f.mu.Lock()
	defer f.mu.Unlock()
	t := time.Now()
	if f.at.IsZero() || t.Sub(f.at) > f.life {
		snap, err := s.o.Figures()
		if err != nil {
			f.at = time.Time{}
			if f.said != err.Error() {
				f.said = err.Error()
				s.o.Say("cannot answer sysinfo(2): " + f.said)
			}
			return views.SysinfoFigures{}, false
		}
		f.life = max(figuresLife, 9*time.Since(t))
		t = time.Now()
		f.last, f.at = snap, t
	}
	snap := f.last
	snap.Uptime += t.Sub(f.at)
	return views.Sysinfo(&snap), true
}

// Drop has figures read anew.
func (s *Server) Drop() {
	s.figures.mu.Lock()
	s.figures.at = time.Time{}
	s.figures.mu.Unlock()
}

// addressOf is where a call's first argument points to, and whether it is one of 64 bits.
func addressOf(n *seccomp.Notification) (addr uint64, wide bool) {
	if n.Arch&auditArch64 != 0 {
		return n.Args[0], true
	}
	return uint64(uint32(n.Args[0])), false
}

// auditArch64 is __AUDIT_ARCH_64BIT of linux/audit.h.
const auditArch64 = 0x80000000

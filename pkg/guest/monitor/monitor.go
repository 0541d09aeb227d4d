package monitor

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/epoll"
	"github.com/sysct/sysct/internal/flock"
	"github.com/sysct/sysct/pkg/guest/control"
	"github.com/sysct/sysct/pkg/guest/fdstore"
	"github.com/sysct/sysct/pkg/guest/state"
	"github.com/sysct/sysct/pkg/limits"
)

// monitor is the process: descriptors, and the loop that turns them into
// events. Only the loop's goroutine touches it.
type monitor struct {
	version string // of this program

	plan  *Plan
	core  *Core
	loop  *epoll.Loop
	log   *logger
	lock  *flock.Lock
	queue []Event
	ended bool

	manager manager          // who started this process
	store   *fdstore.Store   // nil: nobody keeps descriptors
	kept    []fdstore.Stored // what was left there, in this order

	guestDir int    // the guest's directory, locked until it is let go; -1: it isn't
	gone     bool   // the guest is let go: what has its name may be another's
	giveWay  func() // ends the wait for the lock of a guest that is to be destroyed; nil: there is none
	favoured bool   // the host's OOM killer looks at others first

	hooks      hookRun
	namespaces namespaces // of the running guest, if it has stop hooks

	dir     int // the guest's run directory
	slots   *slots
	lastRun *state.Run // what run.json says
	stale   bool       // and that it may not be so any more

	publishAt time.Duration // when to write it at last; 0: at the next answer
	report    int           // -1: nobody waits for it
	warned    []string

	listen  int
	peers   map[int]*peer
	lastID  int
	served  int       // clients that have left
	screens []*screen // the console and the ttys

	backend limits.Backend
	group   limits.Group // nil: none
	zombie  int          // an init of ours that has ended and isn't reaped yet; 0: none
	pidfd   int          // of init; -1: none
	calls   callServer   // who answers the guest's system calls
	figures figuresRun   // of the boot
	views   viewServer   // what the guest sees in place of the host's figures
	effort  effort       // of serving both
	notify  int          // what init says; -1: none
	alarm   alarm        // what tells of kills in it
	notes   noteQueue    // events that are being written

	jobs     int           // under way
	asides   int           // background work under way
	whenIdle []func()      // to be done when none is
	proceed  chan error    // the launch that waits for Proceed
	renewAt  time.Duration // when to begin anew, see renew; 0: never
	upgrade  *upgrade      // that is under way; nil: none
	aliveAt  time.Duration // when a sign of life is due; 0: never

	deafToStop func() // ends what hearStop began
}

// peer is one connected client.
type peer struct {
	*control.Peer
	screen *screen // attached to; nil: none
	stream int     // the stream's end that the screen has
}

// now reads both clocks.
func now() Now {
	var ts unix.Timespec
	unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts) // can't fail for this clock
	return Now{Mono: time.Duration(ts.Nano()), Wall: time.Now()}
}

// events waits for events and yields them, until the monitor ends.
func (m *monitor) events(yield func(Event) bool) {
	for !m.ended {
		if len(m.queue) > 0 {
			ev := m.queue[0]
			m.queue = m.queue[1:]
			if !yield(ev) {
				return
			}
			continue
		}
		m.queue = nil
		if err := m.loop.Round(m.timeout()); err != nil {
			// Without its epoll set a monitor is of no use; its successor makes one.
			m.log.say("cannot wait for events: " + err.Error())
			return
		}
		m.tick()
	}
}

func (m *monitor) emit(ev Event) { m.queue = append(m.queue, ev) }

// timeout is how long the loop may sleep.
func (m *monitor) timeout() time.Duration {
	if len(m.queue) > 0 {
		return 0
	}
	t := now()
	left := time.Duration(-1)
	soonest := func(d time.Duration) {
		if d = max(d, 0); left < 0 || d < left {
			left = d
		}
	}
	if at, ok := m.core.Deadline(); ok {
		soonest(at - t.Mono)
	}
	if m.renewAt > 0 {
		soonest(m.renewAt - t.Mono)
	}
	if m.publishAt > 0 {
		soonest(m.publishAt - t.Mono)
	}
	if left, ok := m.figuresIn(); ok {
		soonest(left)
	}
	if m.upgrade != nil {
		soonest(m.upgrade.until - t.Mono)
	}
	if m.aliveAt > 0 {
		soonest(m.aliveAt - t.Mono)
	}
	if m.alarm.at > 0 {
		soonest(m.alarm.at - t.Mono)
	}
	if m.calls.checkAt > 0 {
		soonest(m.calls.checkAt - t.Mono)
	}
	if m.views.restUntil > 0 {
		soonest(m.views.restUntil - t.Mono)
	}
	if p := m.views.placing; p != nil && p.at > 0 {
		soonest(p.at - t.Mono)
	}
	for _, s := range m.screens {
		if at := s.tty.Deadline(); !at.IsZero() {
			soonest(at.Sub(t.Wall))
		}
	}
	return left
}

// tick does what is due after a wait.
func (m *monitor) tick() {
	t := now()
	for _, s := range m.screens {
		if at := s.tty.Deadline(); !at.IsZero() && !t.Wall.Before(at) {
			s.tty.Tick(t.Wall)
		}
	}
	if at, ok := m.core.Deadline(); ok && t.Mono >= at {
		m.emit(Tick{})
	}
	m.lookForPrompt()
	if m.publishAt > 0 && t.Mono >= m.publishAt {
		m.publish()
	}
	m.tickFigures()
	m.signLife(t.Mono)
	m.alarmIfDue(t.Mono)
	m.askUnheard(t.Mono)
	m.checkCalls(t.Mono)
	m.hearAgain(t.Mono, m.answerViews)
	m.placeIfDue(t.Mono)
	m.upgradeIfDue(t.Mono)
	m.renewIfDue(t.Mono)
}

// job does what blocks in a goroutine, and what it returns in the loop's.
func (m *monitor) job(f func() func()) {
	m.jobs++
	go func() {
		then := f()
		m.loop.Post(func() {
			m.jobs--
			then()
			m.runIdle()
		})
	}()
}

// idle has f done when no job is under way: the group may be closed then.
func (m *monitor) idle(f func()) {
	m.whenIdle = append(m.whenIdle, f)
	m.runIdle()
}

func (m *monitor) runIdle() {
	for m.jobs == 0 && len(m.whenIdle) > 0 {
		f := m.whenIdle[0]
		m.whenIdle = m.whenIdle[1:]
		f()
	}
}

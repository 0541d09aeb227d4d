package monitor

import (
	"fmt"
	"strconv"
	"time"

	"github.com/sysct/sysct/pkg/guest/state"
)

// Policy is what the core has to know of the plan, and of its process.
type Policy struct {
	OnFailure   bool          // start again after a failure
	StopTimeout time.Duration // for a stop that doesn't say
	Ephemeral   bool          // the guest is destroyed at the end of its life
	ReadyCmd    bool          // readiness is told by init or by a command
	Hooks       bool          // a boot and its end may wait for hooks
	HookTime    time.Duration // how long those after a guest's end may take
	Version     string        // of this program
	Run         state.Run     // the facts that don't change: boot id, monitor's pid, id base
}

// Core decides what a monitor does: events in, actions out. It makes no system
// call, reads no clock, and is the only one to change [Life].
type Core struct {
	Life Life

	policy  Policy
	now     Now
	out     []Action
	visited []state.State // in this step
	waiters []waiter
	note    string // for those who wait for the end: "killed, …"

	freezer   bool   // a freeze or thaw is under way
	freezeFor int    // the client that asked for it; 0: none
	announced bool   // the end of the life, before the monitor's own
	yielding  bool   // the guest is left to who starts it
	holder    int    // the client for whom the guest holds still; 0: none
	halting   bool   // an attempt to halt is under way
	call      uint64 // the last call of reboot(2) that was noted
	before    string // Life.Called before it
	haltAt    time.Duration
	killAgain time.Duration
	stuckAt   time.Duration // when a killed init should have ended
	stuck     string        // whom it was last found to wait for
	applying  bool          // a change of the plan is being made, or taken back
	checking  bool          // the ready command runs
	checkAt   time.Duration
}

// NewCore makes the core of a new life, or of one that is taken over.
func NewCore(p Policy, life *Life) *Core {
	c := &Core{policy: p, Life: Life{Phase: PhaseNew, State: state.Stopped}}
	if life != nil {
		c.Life = *life
	}
	return c
}

// Step takes one event and says what is to be done, in this order. The first
// action keeps the state for a successor: what is intended is known before it
// is done.
func (c *Core) Step(now Now, ev Event) []Action {
	c.now, c.out, c.visited = now, []Action{Save{}}, nil
	c.handle(ev)
	c.answerWaiters()
	return c.out
}

func (c *Core) handle(ev Event) {
	switch ev := ev.(type) {
	case Begin:
		c.begin(ev)
	case Adopt:
		c.adopt(ev.Facts)
	case Recovered:
		c.recovered(ev.Err)
	case Stored:
		c.stored(ev)
	case Launched:
		c.launched(ev.Err)
	case Counted:
		c.counted(ev.Counts)
	case Called:
		c.called(ev)
	case CallGone:
		c.callGone(ev)
	case InitEnded:
		c.initEnded(ev)
	case Cleaned:
		c.cleaned(ev.Err)
	case Finished:
		c.noteStop()
		c.finished()
	case Destroyed:
		c.destroyed(ev.Held)
	case Halted:
		c.halted(ev)
	case FreezeDone:
		c.freezeDone(ev.Err)
	case ThawDone:
		c.thawDone(ev.Err)
	case Stuck:
		c.foundStuck(ev)
	case Told:
		c.told(ev)
	case Prompted:
		c.prompted(ev.Systemd)
	case ReadyChecked:
		c.readyChecked(ev.Ready)
	case Asked:
		c.asked(ev)
	case Applied:
		c.applied(ev)
	case Undone:
		c.applying = false
	case ClientGone:
		c.forget(ev.Client)
	case Terminate:
		c.terminate()
	case Tick:
		c.tick()
	}
}

// terminate stops the guest; if it has stopped, somebody waits for the monitor's end.
func (c *Core) terminate() {
	if c.Life.Phase == PhaseFinished {
		c.yield()
		return
	}
	c.say("asked to end: the guest is stopped")
	// A service manager that has asked for it waits as long as the guest may take.
	c.do(Inform{extendTimeout(c.policy.StopTimeout + c.policy.HookTime + stopSlack)})
	c.stop(c.policy.StopTimeout, true)
}

// extendTimeout asks a service manager for time to stop (sd_notify(3)).
func extendTimeout(d time.Duration) []string {
	return []string{"EXTEND_TIMEOUT_USEC", strconv.FormatInt(d.Microseconds(), 10)}
}

// stopSlack is for what follows the guest's own time to stop: a kill, and the cleaning up.
const stopSlack = 15 * time.Second

// Deadline is when the next [Tick] is due; false: never.
func (c *Core) Deadline() (time.Duration, bool) {
	first := time.Duration(0)
	soonest := func(at time.Duration) {
		if at > 0 && (first == 0 || at < first) {
			first = at
		}
	}
	soonest(c.haltAt)
	soonest(c.killAgain)
	soonest(c.stuckAt)
	soonest(c.overdueAt())
	if s := c.Life.Stop; s != nil && !s.Killed && c.Life.Phase == PhaseUp {
		soonest(s.KillAt)
	}
	if c.Life.Phase == PhaseWait {
		soonest(c.Life.Again)
	}
	if c.wantsCheck() {
		soonest(c.checkAt)
	}
	for _, w := range c.waiters {
		soonest(w.deadline)
	}
	return first, first > 0
}

func (c *Core) tick() {
	if c.due(c.haltAt) {
		c.haltAt = 0
		c.pursueStop()
	}
	c.killDue()
	if c.due(c.stuckAt) {
		c.stuckAt = 0
		c.do(FreeInit{})
	}
	if c.due(c.overdueAt()) {
		c.overdue()
	}
	if c.Life.Phase == PhaseWait && c.now.Mono >= c.Life.Again {
		c.launch()
	}
	if c.wantsCheck() && c.due(c.checkAt) {
		c.checking, c.checkAt = true, 0
		c.do(CheckReady{})
	}
}

func (c *Core) due(at time.Duration) bool { return at > 0 && c.now.Mono >= at }

func (c *Core) do(a ...Action) { c.out = append(c.out, a...) }

func (c *Core) say(format string, args ...any) {
	c.do(Say{fmt.Sprintf(format, args...)})
}

// advance takes the guest to its next state, if the table has one.
func (c *Core) advance(ev state.Event) error {
	next, err := state.Next(c.Life.State, ev)
	if err != nil {
		return err
	}
	c.Life.State = next
	c.visited = append(c.visited, next)
	return nil
}

// Run is what users are told of this life.
func (c *Core) Run() state.Run {
	r := c.policy.Run
	l := &c.Life
	r.State, r.Pid, r.StartedAt = l.State, l.Pid, l.StartedAt
	r.Ready, r.Boots, r.Exit = l.Ready, l.Boots, l.Exit
	if l.State == state.Stopped {
		r.MonitorPid = 0
	}
	return r
}

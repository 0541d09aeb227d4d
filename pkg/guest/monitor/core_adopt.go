package monitor

import (
	"github.com/sysct/sysct/pkg/guest/state"
)

// adopt goes on where the monitor before this one was killed.
func (c *Core) adopt(f Facts) {
	l := &c.Life
	c.applying = f.Undoing
	if !f.Renewed {
		c.say("monitor %d takes the guest over: %s, %s", c.policy.Run.MonitorPid, l.Phase, l.State)
	}
	c.noteAdopted(f)
	switch l.Phase {
	case PhaseRecover:
		c.do(Recover{c.policy.StopTimeout})
	case PhaseLaunch:
		// No init ran: whatever is there of the context is removed.
		c.ended(l.Stop == nil)
	case PhaseStored:
		if f.Alive && f.Booted {
			c.launched(nil)
			c.adoptUp(f)
			return
		}
		// It waits for a word that nobody can give it any more.
		c.ended(l.Stop == nil)
	case PhaseUp:
		// An init that has ended is noticed as any other.
		if f.Alive {
			c.adoptUp(f)
		}
	case PhaseCleanup:
		c.do(Cleanup{})
	case PhaseFinish:
		c.do(Finish{})
	case PhaseFinished:
		c.finished()
	}
}

// adoptUp brings the stored state in line with what the kernel says. Who asked
// for a freeze or thaw that was under way isn't connected any more.
func (c *Core) adoptUp(f Facts) {
	l := &c.Life
	l.Frozen = f.Frozen
	held := l.Held
	l.Held = false
	c.checkAt = c.now.Mono + checkEvery
	if s := l.Stop; s != nil {
		if s.Killed {
			c.killAll()
			return
		}
		c.killDue()
		c.pursueStop()
		return
	}
	switch {
	case held && (l.State == state.Freezing || l.State == state.Frozen):
		// For whom it held still isn't connected any more.
		c.thawForAll()
	case f.Frozen && l.State != state.Frozen:
		c.advance(state.Thaw)
		c.advance(state.Ran)
		c.advance(state.Freeze)
		c.advance(state.Froze)
	case !f.Frozen && (l.State == state.Freezing || l.State == state.Frozen):
		// It may be about to freeze: the order is taken back.
		c.thawForAll()
	case !f.Frozen && l.State == state.Thawed:
		c.advance(state.Ran)
	}
}

// Settled says whether a successor would go on with all that is under way but for
// clients, who lose their connections.
func (c *Core) Settled() bool {
	l := &c.Life
	return (l.Phase == PhaseUp || l.Phase == PhaseWait) && l.Stop == nil && !c.freezer && !c.applying && !c.checking && !c.halting && c.holder == 0
}

// Calm says whether nothing is under way that a successor would not go on with:
// the guest runs, and nobody waits for anything.
func (c *Core) Calm() bool {
	return c.Life.Phase == PhaseUp && c.Life.Stop == nil && len(c.waiters) == 0 && !c.freezer && !c.applying && !c.checking && !c.halting
}

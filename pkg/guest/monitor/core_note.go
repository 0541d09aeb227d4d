package monitor

import (
	"github.com/sysct/sysct/pkg/guest/events"
	"github.com/sysct/sysct/pkg/guest/state"
	"github.com/sysct/sysct/pkg/limits"
)

// happened has an event written. A monitor that is killed in the middle of a step writes it
// never, and its successor doesn't either: one that is missing is better than one that is
// told twice.
func (c *Core) happened(e events.Event) {
	e.Time, e.Mono = c.now.Wall, c.now.Mono.Microseconds()
	c.do(Note{e})
}

// noteExit is happened, with how the guest ended.
func (c *Core) noteExit(e events.Event) {
	if x := c.Life.Exit; x != nil {
		e.Reason, e.Code, e.Signal = x.Reason, x.Code, x.Signal
	}
	c.happened(e)
}

// noteAgain notes an end that another boot follows.
func (c *Core) noteAgain(kind events.Kind) {
	if kind != events.Restart {
		c.happened(events.Event{Kind: kind})
		return
	}
	in := max(c.Life.Again-c.now.Mono, 0).Seconds()
	c.noteExit(events.Event{Kind: kind, Seconds: &in})
}

// noteStop notes the end of a life, when the guest may be started again. Of a start that
// failed more is known, and written already.
func (c *Core) noteStop() {
	if x := c.Life.Exit; c.Life.Boots > 0 || x != nil && x.Reason != state.ReasonFailed {
		c.noteExit(events.Event{Kind: events.Stop})
	}
}

// noteFrozen notes a freeze or thaw that has come about.
func (c *Core) noteFrozen(kind events.Kind) {
	e := events.Event{Kind: kind}
	if c.Life.Held {
		e.Message = "for a copy"
	}
	c.happened(e)
}

// counted notes what has befallen the guest's processes since it was noted last.
func (c *Core) counted(n limits.Counts) {
	if c.Life.Phase != PhaseUp && c.Life.Phase != PhaseStored {
		return
	}
	was := &c.Life.Noted
	if more := n.OOMKills - was.OOMKills; more > 0 {
		c.happened(events.Event{Kind: events.OOM, Count: more})
		was.OOMKills = n.OOMKills
	}
	if more := n.Refused - was.Refused; more > 0 {
		c.happened(events.Event{Kind: events.Pids, Count: more})
		was.Refused = n.Refused
	}
}

// noteAdopted notes that another monitor has the guest, if it is another.
func (c *Core) noteAdopted(f Facts) {
	switch {
	case f.Upgraded:
		c.happened(events.Event{Kind: events.Upgrade, Version: c.policy.Version})
	case !f.Renewed:
		c.happened(events.Event{Kind: events.Adopt, Message: f.Death})
	}
}

package monitor

import (
	"fmt"
	"time"

	"github.com/sysct/sysct/pkg/guest/state"
)

const (
	// haltRetry is the pause before an init is asked again that doesn't listen
	// yet.
	haltRetry = 100 * time.Millisecond
	// killRetry is the pause before processes are killed again that are still
	// there: they were in the middle of a fork, or in the kernel.
	killRetry = 5 * time.Second
)

// stop begins a stop, or joins one that is under way: the earliest deadline
// counts, and a plain stop turns a restart into one.
func (c *Core) stop(limit time.Duration, mayKill, restart bool) {
	l := &c.Life
	if l.Stop == nil {
		l.Stop = &Stop{Restart: restart}
	}
	s := l.Stop
	s.Restart = s.Restart && restart
	if at := max(c.now.Mono+limit, 1); mayKill && (s.KillAt == 0 || at < s.KillAt) {
		s.KillAt, s.Limit = at, limit
	}
	c.advance(state.Stop)
	c.pursueStop()
	c.killDue()
}

// pursueStop does what a stop needs next. It may be called at any time.
func (c *Core) pursueStop() {
	s := c.Life.Stop
	if s == nil {
		return
	}
	switch c.Life.Phase {
	case PhaseWait:
		if s.Restart {
			c.launch()
			return
		}
		c.finish()
	case PhaseUp:
		switch {
		case s.Killed || s.Asked || c.freezer || c.halting || c.haltAt > c.now.Mono:
		case c.Life.Frozen: // init has to run to shut down
			c.freezer = true
			c.do(Thaw{freezeTimeout})
		default:
			c.halting = true
			c.do(Halt{})
		}
	}
}

func (c *Core) halted(ev Halted) {
	c.halting = false
	s := c.Life.Stop
	if s == nil || s.Killed || c.Life.Phase != PhaseUp {
		return
	}
	switch {
	case ev.Retry:
		c.haltAt = c.now.Mono + haltRetry
	case ev.Err == nil:
		s.Asked = true
		c.say("stopping: %s", ev.How)
	case s.KillAt == 0:
		s.Asked = true // it won't be asked a second time; it may yet be killed
		c.say("cannot ask init to halt: %v", ev.Err)
	default:
		c.kill(fmt.Sprintf("killed: there is no way to ask init to halt: %v", ev.Err))
	}
}

// killDue kills what had its time, and what is still there after a kill.
func (c *Core) killDue() {
	s := c.Life.Stop
	if s == nil || c.Life.Phase != PhaseUp {
		return
	}
	if s.Killed && c.due(c.killAgain) {
		c.say("init is still there after a kill: killed again")
		c.killAgain = c.now.Mono + killRetry
		c.do(KillAll{})
	}
	if !s.Killed && c.due(s.KillAt) {
		c.kill(fmt.Sprintf("killed: it did not stop in %v", s.Limit))
	}
}

func (c *Core) kill(why string) {
	s := c.Life.Stop
	s.Killed = true
	c.note = why
	c.killAgain = c.now.Mono + killRetry
	c.say("%s", why)
	c.do(KillAll{})
}

// killNow is `stop -k`: no question, no deadline.
func (c *Core) killNow() {
	if c.Life.Stop == nil {
		c.Life.Stop = &Stop{}
	}
	c.Life.Stop.Restart = false
	c.advance(state.Stop)
	if c.Life.Phase != PhaseUp {
		c.pursueStop()
		return
	}
	if !c.Life.Stop.Killed {
		c.Life.Stop.Killed = true
		c.killAgain = c.now.Mono + killRetry
		c.say("killed, as asked for")
		c.do(KillAll{})
	}
}

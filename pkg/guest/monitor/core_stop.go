package monitor

import (
	"fmt"
	"slices"
	"time"

	"github.com/sysct/sysct/pkg/guest/control"
	"github.com/sysct/sysct/pkg/guest/state"
)

const (
	// haltRetry is the pause before an init is asked again that doesn't listen
	// yet.
	haltRetry = 100 * time.Millisecond
	// killRetry is the pause before processes are killed again that are still
	// there: they were in the middle of a fork, or in the kernel.
	killRetry = 5 * time.Second
	// killPatience is how long a killed init may take, before it is looked for who
	// keeps it: it waits for every process that entered the guest to be reaped.
	killPatience = 2 * time.Second
)

// stop begins a stop, or joins one that is under way: the earliest deadline
// counts.
func (c *Core) stop(limit time.Duration, mayKill bool) {
	l := &c.Life
	if l.Stop == nil {
		l.Stop = &Stop{}
	}
	s := l.Stop
	if at := max(c.now.Mono+limit, 1); mayKill && (s.KillAt == 0 || at < s.KillAt) {
		s.KillAt, s.Limit = at, limit
	}
	c.advance(state.Stop)
	c.killDue()
	c.pursueStop()
}

// pursueStop does what a stop needs next. It may be called at any time.
func (c *Core) pursueStop() {
	s := c.Life.Stop
	if s == nil {
		return
	}
	switch c.Life.Phase {
	case PhaseWait:
		c.finish()
	case PhaseLaunch, PhaseStored:
		c.giveUp()
	case PhaseUp:
		switch {
		case s.Killed || s.Asked || c.freezer || c.halting || c.haltAt > c.now.Mono:
		case c.holder != 0: // it goes on when the guest is let go
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
		c.killAll()
	}
	if s.Killed || !c.due(s.KillAt) {
		return
	}
	if s.Limit == 0 {
		c.kill("killed: it was given no time to stop")
		return
	}
	c.kill(fmt.Sprintf("killed: it did not stop in %v", s.Limit))
}

func (c *Core) kill(why string) {
	s := c.Life.Stop
	s.Killed = true
	c.note = why
	c.say("%s", why)
	c.killAll()
}

// killAll kills what there is, and again if that isn't enough.
func (c *Core) killAll() {
	c.killAgain, c.stuckAt = c.now.Mono+killRetry, c.now.Mono+killPatience
	c.do(KillAll{})
}

// foundStuck tells those who wait for the end that it doesn't come by itself.
func (c *Core) foundStuck(ev Stuck) {
	for _, pid := range ev.Ended {
		c.say("ended sysct exec (pid %d), which was stopped and kept the guest from ending", pid)
	}
	if ev.Waits == "" || c.Life.Phase != PhaseUp {
		return
	}
	err := fmt.Errorf("it was killed, but its end waits for %s", ev.Waits)
	if ev.Waits != c.stuck {
		c.stuck = ev.Waits
		c.say("%v", err)
	}
	c.waiters = slices.DeleteFunc(c.waiters, func(w waiter) bool {
		if !slices.Contains(w.states, state.Stopped) {
			return false
		}
		c.refuse(w.client, control.KindFailed, err)
		return true
	})
}

// killNow is `stop -k`: no question, no deadline. Without an init no other boot
// follows; one that is about to be executed is killed then.
func (c *Core) killNow() {
	if c.Life.Stop == nil {
		c.Life.Stop = &Stop{}
	}
	s := c.Life.Stop
	c.advance(state.Stop)
	if s.Killed {
		return
	}
	s.Killed = true
	switch c.Life.Phase {
	case PhaseUp:
		c.say("killed, as asked for")
		c.killAll()
	case PhaseRecover: // what nobody keeps isn't given its time
		c.do(KillAll{})
	default:
		c.say("no init runs: it ends, as asked for")
		if c.Life.Phase == PhaseCleanup || c.Life.Phase == PhaseFinish {
			c.giveUp() // a clean stop lets the hooks of an end have their time
		}
		c.pursueStop()
	}
}

// giveUp has hooks end that would hold a stop up. Without them a launch takes
// milliseconds and is waited for.
func (c *Core) giveUp() {
	if c.policy.Hooks {
		c.do(GiveUp{})
	}
}

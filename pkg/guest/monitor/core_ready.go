package monitor

import (
	"time"

	"github.com/sysct/sysct/pkg/guest/events"
	"github.com/sysct/sysct/pkg/guest/state"
)

// checkEvery is the pause between two runs of the ready command.
const checkEvery = time.Second

func (c *Core) told(ev Told) {
	if c.Life.Phase != PhaseUp {
		return
	}
	c.Life.Notified = true
	if ev.Status != "" {
		c.Life.Status = ev.Status
	}
	if ev.ExitStatus != nil {
		c.Life.ExitStatus = ev.ExitStatus
	}
	if ev.Ready {
		c.ready("init says so")
	}
}

// prompted: a login prompt is a sign of readiness only for an init that has no
// better one, unless the user has named a command that is.
func (c *Core) prompted(systemd bool) {
	if c.Life.Phase == PhaseUp && !systemd && !c.Life.Notified && !c.policy.ReadyCmd {
		c.ready("a login prompt is on the console")
	}
}

func (c *Core) wantsCheck() bool {
	return c.policy.ReadyCmd && !c.Life.Ready && !c.checking &&
		c.Life.Phase == PhaseUp && c.Life.State == state.Running
}

func (c *Core) readyChecked(ready bool) {
	c.checking = false
	if c.Life.Phase != PhaseUp {
		return
	}
	if ready {
		c.ready("the ready command succeeded")
		return
	}
	c.checkAt = c.now.Mono + checkEvery
}

// ready notes it once. An init that comes up after it was asked to stop has
// thrown the request away, as runit does and OpenRC's: it is asked again.
func (c *Core) ready(why string) {
	if c.Life.Ready {
		return
	}
	c.Life.Ready = true
	c.say("ready: %s", why)
	c.happened(events.Event{Kind: events.Ready})
	c.do(Forget{}, Inform{[]string{"READY", "1"}})
	if s := c.Life.Stop; s != nil && s.Asked {
		s.Asked = false
		c.pursueStop()
	}
}

// managerPatience is how long after its start a guest's readiness holds up those that a
// service manager starts after it: not every guest can show that it is up.
const managerPatience = 5 * time.Minute

// overdueAt is when the service manager is told to go on without the guest; 0: never.
func (c *Core) overdueAt() time.Duration {
	l := &c.Life
	if l.Phase != PhaseUp || l.Ready || l.Overdue || l.ExecAt == 0 {
		return 0
	}
	return l.ExecAt + managerPatience
}

// overdue has the service manager take the unit for active. The guest isn't ready for it:
// who waits for that, waits on.
func (c *Core) overdue() {
	c.Life.Overdue = true
	c.say("not ready after %v: the service manager doesn't wait any longer", managerPatience)
	c.do(Inform{[]string{"READY", "1", "STATUS", "the guest is not ready yet"}})
}

// WantsPrompt says whether a login prompt on the console would be news.
func (c *Core) WantsPrompt() bool {
	return c.Life.Phase == PhaseUp && !c.Life.Ready && !c.Life.Notified && !c.policy.ReadyCmd
}

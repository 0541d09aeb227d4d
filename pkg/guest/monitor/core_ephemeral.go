package monitor

import "time"

// An ephemeral guest is destroyed by its monitor when its life has ended: nobody else
// need be there, as when it powers itself off. A mark in its directory, made when it has
// booted, tells gc that what it finds stopped is a rest of such a life, after a crash
// of the host or of the monitor. A guest that never booted is none: its user wants
// to know why.

// doomed says whether the end of this life is the guest's.
func (c *Core) doomed() bool {
	s := c.Life.Stop
	return c.policy.Ephemeral && c.Life.Boots > 0 && (s == nil || !s.Keep)
}

// doom has the guest destroyed. The monitor lets it go first, as others that destroy
// or start it wait for that; whoever comes first does it.
func (c *Core) doom() {
	c.say("it is ephemeral: it is destroyed")
	c.do(LetGo{}, Inform{extendTimeout(destroyTime)}, Destroy{heldPatience})
}

// destroyTime is what a service manager is asked to grant a monitor that destroys a guest:
// its hooks, and a tree of any size.
const destroyTime = 15 * time.Minute

const (
	// heldPatience is how long a verb that has the guest is waited for before those
	// are answered who wait for its end: it may be one of them.
	heldPatience = 500 * time.Millisecond
	// destroyPatience is how long it is waited for then. If it takes longer, the guest
	// is left to it, or to gc.
	destroyPatience = 30 * time.Second
)

// destroyed ends the life, and the monitor when nothing is left to do.
func (c *Core) destroyed(held bool) {
	switch {
	case c.announced:
		c.do(Exit{})
	case held && !c.yielding:
		c.announced = true
		c.tellEnd()
		c.do(Destroy{destroyPatience})
	default:
		c.leave()
	}
}

// yield is for a start that waits for this monitor's end: it has the guest's lock, which
// the monitor may be waiting for.
func (c *Core) yield() {
	c.yielding = true
	c.do(GiveWay{})
}

// keep notes that a stop is for a new start.
func (c *Core) keep(wanted bool) {
	if s := c.Life.Stop; s != nil && wanted {
		s.Keep = true
	}
}

package monitor

import (
	"errors"
	"time"

	"github.com/sysct/sysct/pkg/guest/control"
	"github.com/sysct/sysct/pkg/guest/state"
)

// A hold is a freeze for as long as its client's connection lives, so that a client
// that is killed, or a monitor that dies with the connection, leaves no guest frozen:
//
//	RUNNING ── freeze hold ──▶ FROZEN ── thaw hold, or the client goes ──▶ RUNNING
//	FROZEN  ── freeze hold ──▶ FROZEN ── thaw hold, or the client goes ──▶ FROZEN
//
// Meanwhile no other client freezes or thaws, and a stop waits; a kill does not.

var errHeld = errors.New("it holds still for a copy that is being made of it")

// hold freezes the guest for a client. Life.Held says that it has to be thawed again:
// one that was frozen already isn't.
func (c *Core) hold(client int, limit time.Duration) {
	switch {
	case c.holder != 0:
		c.refuse(client, control.KindBusy, errHeld)
	case c.Life.State == state.Frozen && c.Life.Stop == nil && !c.freezer:
		c.holder = client
		c.replyRun(client)
	default:
		c.freeze(client, state.Freeze, Freeze{limit})
		if c.freezer && c.freezeFor == client {
			c.holder, c.Life.Held = client, true
		}
	}
}

// heldStill is called at the end of a freeze.
func (c *Core) heldStill(err error) {
	switch {
	case !c.Life.Held:
	case err != nil || c.Life.State != state.Frozen:
		c.holder, c.Life.Held = 0, false
	case c.holder == 0: // who wanted it has gone meanwhile
		c.release(0, freezeTimeout)
	}
}

// release lets the guest go on for its holder, or for nobody if that has gone.
func (c *Core) release(client int, limit time.Duration) {
	c.holder = 0
	if c.freezer { // it goes on when that is through
		return
	}
	thaw := c.Life.Held && c.Life.State == state.Frozen
	c.Life.Held = false
	switch {
	case thaw:
		c.freeze(client, state.Thaw, Thaw{limit})
	case client != 0: // it stays frozen for others, or a stop is about to thaw it
		c.replyRun(client)
	}
	c.pursueStop()
}

// thawForAll takes back a freeze of which nobody is left.
func (c *Core) thawForAll() {
	c.advance(state.Thaw)
	c.freezer = true
	c.do(Thaw{freezeTimeout})
}

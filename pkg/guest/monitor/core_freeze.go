package monitor

import (
	"errors"
	"time"

	"github.com/sysct/sysct/pkg/guest/control"
	"github.com/sysct/sysct/pkg/guest/events"
	"github.com/sysct/sysct/pkg/guest/state"
	"github.com/sysct/sysct/pkg/limits"
)

// freezeTimeout is for a freeze or thaw that doesn't say.
const freezeTimeout = 10 * time.Second

func (c *Core) askedFreezer(client int, req *control.Request) {
	limit := req.Timeout(freezeTimeout)
	switch {
	case req.Hold && req.Op == control.OpFreeze:
		c.hold(client, limit)
	case req.Hold && c.holder == client:
		c.release(client, limit)
	case req.Hold:
		c.refuse(client, control.KindState, errors.New("the guest did not hold still"))
	case c.holder != 0:
		c.refuse(client, control.KindBusy, errHeld)
	case req.Op == control.OpFreeze:
		c.freeze(client, state.Freeze, Freeze{limit})
	default:
		c.freeze(client, state.Thaw, Thaw{limit})
	}
}

func (c *Core) freeze(client int, ev state.Event, a Action) {
	if c.freezer {
		c.refuse(client, control.KindBusy, errors.New("a freeze or thaw is under way"))
		return
	}
	if err := c.advance(ev); err != nil {
		c.refuse(client, control.KindState, err)
		return
	}
	c.freezer, c.freezeFor = true, client
	c.do(a)
}

func (c *Core) freezeDone(err error) {
	client := c.freezerDone()
	c.Life.Frozen = err == nil && c.Life.Phase == PhaseUp
	if c.Life.State == state.Freezing {
		if err == nil {
			c.advance(state.Froze)
			c.noteFrozen(events.Freeze)
		} else { // it was thawed again
			c.advance(state.Thaw)
			c.advance(state.Ran)
		}
	} else if err == nil {
		err = &state.TransitionError{State: c.Life.State, Event: state.Freeze} // a stop overtook it
	}
	c.replyFreezer(client, err)
	c.heldStill(err)
	c.pursueStop()
}

func (c *Core) thawDone(err error) {
	client := c.freezerDone()
	c.Life.Frozen = err != nil && c.Life.Phase == PhaseUp
	if err == nil && c.Life.Phase == PhaseUp {
		c.happened(events.Event{Kind: events.Thaw})
	}
	if c.Life.State == state.Thawed {
		if err == nil {
			c.advance(state.Ran)
		} else {
			c.advance(state.Freeze)
			c.advance(state.Froze)
		}
	}
	c.replyFreezer(client, err)
	if s := c.Life.Stop; err != nil && s != nil && c.Life.Phase == PhaseUp && !s.Killed {
		// A kill reaches frozen processes too.
		if s.KillAt != 0 {
			c.kill("killed: it could not be thawed: " + err.Error())
			return
		}
		c.say("cannot thaw the guest to stop it: %v", err)
		c.haltAt = c.now.Mono + time.Second
		return
	}
	c.pursueStop()
}

func (c *Core) freezerDone() (client int) {
	client = c.freezeFor
	c.freezer, c.freezeFor = false, 0
	return client
}

func (c *Core) replyFreezer(client int, err error) {
	var overtaken *state.TransitionError
	switch {
	case client == 0:
	case errors.As(err, &overtaken):
		c.refuse(client, control.KindState, err)
	case err == nil:
		c.replyRun(client)
	case errors.Is(err, limits.ErrTimeout):
		c.refuse(client, control.KindTimeout, err)
	default:
		c.refuse(client, control.KindFailed, err)
	}
}

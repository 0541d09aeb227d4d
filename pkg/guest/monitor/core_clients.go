package monitor

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/guest/control"
	"github.com/sysct/sysct/pkg/guest/state"
)

// waiter is a client whose answer comes when something has come about.
type waiter struct {
	client   int
	states   []state.State // any of these
	ready    bool          // or readiness
	deadline time.Duration // monotonic; 0: none
	late     string        // what it is told then
}

func (c *Core) asked(ev Asked) {
	client, req := ev.Client, ev.Req
	switch req.Op {
	case control.OpStatus:
		c.askedStatus(client, req)
	case control.OpStop:
		c.askedStop(client, req)
	case control.OpKill:
		c.askedKill(client, req)
	case control.OpFreeze, control.OpThaw:
		c.askedFreezer(client, req)
	case control.OpWait:
		c.askedWait(client, req)
	case control.OpPlan:
		c.do(Show{client})
	case control.OpApply:
		c.askedApply(client, ev.Change)
	default:
		c.do(Reply{Client: client, Resp: control.Response{Error: control.Unknown(req.Op, c.policy.Version)}})
	}
}

// askedStatus says, while no init runs because the last one failed, when the
// next one will.
func (c *Core) askedStatus(client int, req *control.Request) {
	c.Life.Entered = c.Life.Entered || req.Enter
	run := c.Run()
	resp := control.Response{Run: &run}
	if l := &c.Life; l.Phase == PhaseWait {
		left := max(l.Again-c.now.Mono, 0)
		resp.Note = fmt.Sprintf("it is started again in %d s", (left+time.Second-1)/time.Second)
	}
	c.do(Reply{Client: client, Resp: resp, Pidfd: run.Pid > 0, Enter: req.Enter})
}

func (c *Core) askedStop(client int, req *control.Request) {
	limit := req.Timeout(c.policy.StopTimeout)
	if req.NoWait {
		c.stop(limit, !req.NoKill)
		c.keep(req.Keep)
		c.replyRun(client)
		return
	}
	w := waiter{client: client, states: []state.State{state.Stopped}}
	if req.NoKill {
		w.deadline, w.late = c.now.Mono+limit, "it did not stop in "+limit.String()
	}
	c.waiters = append(c.waiters, w)
	c.stop(limit, !req.NoKill)
	c.keep(req.Keep)
}

func (c *Core) askedKill(client int, req *control.Request) {
	sig := unix.Signal(req.Signal)
	switch {
	case req.Signal <= 0 || req.Signal > 64:
		c.refuse(client, control.KindInvalid, errors.New("no such signal"))
		return
	case sig == unix.SIGKILL:
		c.killNow()
		c.keep(req.Keep)
	case c.Life.Phase != PhaseUp:
		c.refuse(client, control.KindState, errors.New("the guest is "+string(c.Life.State)))
		return
	default:
		c.Life.Sent = req.Signal
		c.do(Signal{sig})
	}
	c.replyRun(client)
}

func (c *Core) askedWait(client int, req *control.Request) {
	if len(req.States) == 0 && !req.Ready {
		c.refuse(client, control.KindInvalid, errors.New("nothing to wait for"))
		return
	}
	for _, s := range req.States {
		if !s.Valid() {
			c.refuse(client, control.KindInvalid, errors.New("no such state: "+string(s)))
			return
		}
	}
	w := waiter{client: client, states: req.States, ready: req.Ready}
	if req.TimeoutMS != nil {
		limit := req.Timeout(0)
		w.deadline, w.late = max(c.now.Mono+limit, 1), "it did not come about in "+limit.String()
	}
	c.waiters = append(c.waiters, w)
	c.visited = append(c.visited, c.Life.State) // what it is now counts
}

// answerWaiters answers those for whom it has come about, or too late.
func (c *Core) answerWaiters() {
	c.waiters = slices.DeleteFunc(c.waiters, func(w waiter) bool {
		switch {
		case c.fulfilled(w):
			c.replyRun(w.client)
		case c.due(w.deadline):
			c.refuse(w.client, control.KindTimeout, errors.New(w.late))
		default:
			return false
		}
		return true
	})
}

func (c *Core) fulfilled(w waiter) bool {
	if w.ready && c.Life.Ready {
		return true
	}
	return slices.ContainsFunc(c.visited, func(s state.State) bool { return slices.Contains(w.states, s) })
}

// dismissWaiters answers those for whom it can't come about any more.
func (c *Core) dismissWaiters() {
	for _, w := range c.waiters {
		c.refuse(w.client, control.KindState, errors.New("the guest has stopped"))
	}
	c.waiters = nil
}

// forget drops a client that has gone. What it asked for goes on.
func (c *Core) forget(client int) {
	c.waiters = slices.DeleteFunc(c.waiters, func(w waiter) bool { return w.client == client })
	if c.freezeFor == client {
		c.freezeFor = 0
	}
	if c.holder == client {
		c.release(0, freezeTimeout)
	}
}

func (c *Core) replyRun(client int) {
	run := c.Run()
	resp := control.Response{Run: &run}
	if c.Life.State == state.Stopped {
		resp.Note = c.note
	}
	c.do(Reply{Client: client, Resp: resp, Pidfd: run.Pid > 0})
}

func (c *Core) refuse(client int, kind control.Kind, err error) {
	run := c.Run()
	c.do(Reply{Client: client, Resp: control.Response{Run: &run, Error: control.Errorf(kind, "%v", err)}})
}

package monitor

import (
	"errors"
	"time"

	"github.com/sysct/sysct/pkg/guest/events"
	"github.com/sysct/sysct/pkg/guest/state"
	"github.com/sysct/sysct/pkg/limits"
)

// errStopped is the failure of a start that a stop overtook.
var errStopped = errors.New("the guest was stopped while it started")

func (c *Core) begin(ev Begin) {
	if c.Life.State == state.Stopped {
		c.advance(state.Start)
	}
	if !ev.Occupied {
		c.launch()
		return
	}
	c.Life.Phase = PhaseRecover
	c.say("processes of the guest run that no monitor keeps: they are ended, and the guest is started anew")
	c.do(Recover{c.policy.StopTimeout})
}

func (c *Core) recovered(err error) {
	if err == nil {
		c.happened(events.Event{Kind: events.Stop, Reason: state.ReasonUnknown})
	}
	switch {
	case err != nil:
		c.failed(err)
	case c.Life.Stop != nil:
		c.failed(errStopped)
	default:
		c.launch()
	}
}

// launch begins a boot. All that is known of the boot before is forgotten.
func (c *Core) launch() {
	l := &c.Life
	l.Phase, l.Pid, l.Ready, l.Frozen, l.Sent, l.Again = PhaseLaunch, 0, false, false, 0, 0
	l.BeganAt = c.now.Wall
	l.Notified, l.Status, l.ExitStatus, l.OOMKills = false, "", nil, 0
	l.Noted = limits.Counts{}
	l.Heard, l.Called, l.Entered = false, "", false
	c.call, c.before = 0, ""
	c.haltAt, c.killAgain, c.stuckAt, c.checkAt = 0, 0, 0, 0
	c.do(Launch{})
}

func (c *Core) stored(ev Stored) {
	c.Life.Phase, c.Life.Pid, c.Life.OOMKills, c.Life.Shown, c.Life.Heard = PhaseStored, ev.Pid, ev.OOMKills, ev.Shown, ev.Heard
	c.Life.Noted.OOMKills = ev.OOMKills
	if c.Life.Stop != nil {
		c.do(Proceed{errStopped})
		return
	}
	c.do(Proceed{})
}

func (c *Core) launched(err error) {
	if err != nil {
		c.failed(err)
		return
	}
	l := &c.Life
	l.Phase, l.ExecAt = PhaseUp, c.now.Mono
	l.Boots++
	if l.StartedAt.IsZero() {
		l.StartedAt = c.now.Wall
	}
	c.advance(state.Started)
	c.say("boot %d: init is process %d", l.Boots, l.Pid)
	if c.policy.Ephemeral && l.Boots == 1 {
		c.do(Mark{})
	}
	c.happened(events.Event{Kind: events.Start, Boot: l.Boots, Pid: l.Pid})
	c.do(Tell{Pid: l.Pid})
	c.checkAt = c.now.Mono + time.Millisecond
	if s := l.Stop; s != nil && s.Killed {
		c.killAll()
		return
	}
	c.killDue()
	c.pursueStop()
}

// failed is the end of a boot before init was executed.
func (c *Core) failed(err error) {
	if c.policy.Hooks && c.Life.Stop != nil {
		err = errStopped // the stop is why the launch was given up
	}
	c.say("cannot start: %v", err)
	reason := state.ReasonFailed
	if errors.Is(err, errStopped) || c.Life.Stop != nil {
		reason = state.ReasonKilled
	}
	c.Life.Exit = &state.Exit{Reason: reason, At: c.now.Wall}
	if reason == state.ReasonFailed {
		c.do(Record{Err: err}) // first, so that who is told finds it
		c.happened(events.Event{Kind: events.Fail, Message: err.Error()})
	}
	c.do(Tell{Err: err})
	// The first start is the user's, who sees why it failed; later ones are ours.
	again := c.Life.Boots > 0 && c.mayStartAgain()
	if again {
		c.noteAgain(events.Restart)
	}
	c.ended(again)
}

// called notes what the guest asks of the kernel, before it is done.
func (c *Core) called(ev Called) {
	if c.Life.Phase == PhaseUp || c.Life.Phase == PhaseStored {
		c.call, c.before, c.Life.Called = ev.Call, c.Life.Called, ev.How
		c.say("the guest calls reboot(2): %s", ev.How)
	}
	c.do(Allow{ev.Call})
}

// callGone forgets a call that wasn't carried out: an end after it is no reboot(2). One
// that was, before it, counts on.
func (c *Core) callGone(ev CallGone) {
	if ev.Call == c.call && c.Life.Called != "" {
		c.call, c.Life.Called = 0, c.before
		c.say("its call of reboot(2) was interrupted")
	}
}

func (c *Core) initEnded(ev InitEnded) {
	if c.Life.Phase != PhaseUp && c.Life.Phase != PhaseStored {
		return
	}
	exit, failure := c.judge(ev)
	c.Life.Exit = exit
	note := Record{Ready: c.Life.Ready, OOMKills: ev.OOMKills}
	c.say("init ended: %s", describeExit(exit))
	c.counted(limits.Counts{OOMKills: c.Life.OOMKills + ev.OOMKills, Refused: ev.Refused})
	switch {
	case c.Life.Stop != nil:
		c.ended(false)
	case exit.Reason == state.ReasonReboot:
		c.Life.Again = c.rebootAt()
		c.noteAgain(events.Reboot)
		c.ended(true)
	case failure && c.mayStartAgain():
		c.noteAgain(events.Restart)
		c.ended(true)
	default:
		c.ended(false)
	}
	c.remember(exit, note)
}

// remember notes a boot that ended as none should, after the console's last output
// was taken, and forgets an earlier one's note where this ended well.
func (c *Core) remember(exit *state.Exit, note Record) {
	switch exit.Reason {
	case state.ReasonOOM, state.ReasonSignal, state.ReasonExited:
		if c.Life.Stop == nil {
			c.do(note)
		}
	case state.ReasonPoweroff, state.ReasonHalt, state.ReasonReboot:
		c.do(Forget{})
	}
}

// ended begins the removal of what the boot has made, after which another one
// follows or the end.
func (c *Core) ended(again bool) {
	l := &c.Life
	l.Phase, l.Pid, l.Ready, l.Frozen, l.Final = PhaseCleanup, 0, false, false, !again
	c.holder, l.Held = 0, false
	c.haltAt, c.killAgain, c.stuckAt, c.checkAt = 0, 0, 0, 0
	switch {
	case !again:
		c.advance(state.Stop)
	case c.advance(state.Reboot) != nil && l.State != state.Starting:
		c.advance(state.Ended)
		c.advance(state.Start)
	}
	c.do(Cleanup{})
}

func (c *Core) cleaned(err error) {
	if err != nil {
		c.say("cannot clean up: %v", err)
	}
	l := &c.Life
	switch {
	case l.Final, l.Stop != nil:
		c.finish()
	case l.Again > c.now.Mono:
		l.Phase = PhaseWait
	default:
		c.launch()
	}
}

func (c *Core) finish() {
	c.Life.Phase = PhaseFinish
	c.advance(state.Stop)
	c.do(Finish{})
}

func (c *Core) finished() {
	c.Life.Phase = PhaseFinished
	if c.doomed() {
		c.doom()
		return
	}
	if c.policy.Ephemeral {
		c.do(Unmark{}) // gc may come before it is started again
	}
	c.leave()
}

// leave is the end of the monitor.
func (c *Core) leave() {
	c.tellEnd()
	c.do(Exit{})
}

// tellEnd tells everybody of the end of the life.
func (c *Core) tellEnd() {
	c.advance(state.Ended)
	c.say("stopped")
	// First, so that who is answered finds the name free.
	c.do(LetGo{})
	c.answerWaiters()
	c.dismissWaiters()
}

// minBoot is the least time between two boots, so that a guest that reboots at
// once can't keep its host busy with that.
const minBoot = time.Second

func (c *Core) rebootAt() time.Duration {
	if at := c.Life.ExecAt + minBoot; at > c.now.Mono {
		return min(at, c.now.Mono+minBoot/10)
	}
	return 0
}

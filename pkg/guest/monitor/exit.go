package monitor

import (
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/signame"
	"github.com/sysct/sysct/pkg/guest/state"
)

// judge says how init ended and whether that is a failure. In a pid namespace
// reboot(2) ends init by SIGHUP for a restart, by SIGINT for poweroff and halt
// (Linux, kernel/pid_namespace.c, reboot_pid_ns). Neither signal can come from
// elsewhere: init gets no fatal signal but SIGKILL that it has no handler for.
func (c *Core) judge(ev InitEnded) (exit *state.Exit, failure bool) {
	exit = &state.Exit{At: c.now.Wall}
	st := ev.Status
	switch {
	case !c.certain(ev) && c.Life.Called != "":
		exit.Reason, exit.Code = c.reasonOf(c.Life.Called), c.Life.ExitStatus
		return exit, false
	case !c.certain(ev):
		exit.Reason = state.ReasonUnknown
		switch {
		case c.killedByUs():
			exit.Reason = state.ReasonKilled
		case ev.OOMKills > 0:
			exit.Reason = state.ReasonOOM // init's death ends all, so it was most likely among them
			return exit, true
		}
		return exit, c.crashed()
	case st.Exited():
		code := st.ExitStatus()
		exit.Code, exit.Reason = &code, state.ReasonExited
		if s := c.Life.Stop; s != nil && s.Asked && code == 0 {
			exit.Reason = state.ReasonPoweroff
		}
		return exit, code != 0
	}
	return exit, c.judgeSignal(exit, st.Signal(), ev.OOMKills > 0)
}

func (c *Core) judgeSignal(exit *state.Exit, sig unix.Signal, oom bool) (failure bool) {
	switch {
	case sig == unix.SIGINT || sig == unix.SIGHUP:
		exit.Code = c.Life.ExitStatus
		exit.Reason = state.ReasonPoweroff
		if sig == unix.SIGHUP {
			exit.Reason = state.ReasonReboot
		} else if c.Life.Called == state.ReasonHalt {
			exit.Reason = c.reasonOf(c.Life.Called)
		}
		return false
	case sig == unix.SIGKILL && c.killedByUs(), int(sig) == c.Life.Sent:
		exit.Reason = state.ReasonKilled
	case sig == unix.SIGKILL && oom:
		exit.Reason, failure = state.ReasonOOM, true
	default:
		exit.Reason, failure = state.ReasonSignal, true
	}
	exit.Signal = signame.Name(sig)
	return failure
}

// certain says whether a status is how init ended. One that may stand for a reboot(2)
// is, if the guest's calls were heard and none was that; who enters the guest from
// outside, as a stop does, isn't heard.
func (c *Core) certain(ev InitEnded) bool {
	return ev.Known || ev.Doubtful && c.heardNothing()
}

// heardNothing says that an end was no reboot(2).
func (c *Core) heardNothing() bool {
	l := &c.Life
	return l.Heard && l.Called == "" && !l.Entered && l.Stop == nil
}

// crashed says whether an end of which nothing is known was a failure: it was no reboot(2),
// and no exit by itself, which an init that talks to us (systemd) would have announced.
func (c *Core) crashed() bool {
	return c.heardNothing() && c.Life.Notified && c.Life.ExitStatus == nil && !c.killedByUs() && c.Life.Sent == 0
}

// reasonOf is the reason of an end by reboot(2). A guest that was stopped was told how
// to end, and it doesn't matter by which command.
func (c *Core) reasonOf(how string) string {
	if how == state.ReasonHalt && c.Life.Stop != nil {
		return state.ReasonPoweroff
	}
	return how
}

func (c *Core) killedByUs() bool {
	return c.Life.Stop != nil && c.Life.Stop.Killed || c.Life.Sent == int(unix.SIGKILL)
}

func describeExit(e *state.Exit) string {
	switch {
	case e.Code != nil:
		return fmt.Sprintf("%s (status %d)", e.Reason, *e.Code)
	case e.Signal != "":
		return fmt.Sprintf("%s (%s)", e.Reason, e.Signal)
	}
	return e.Reason
}

// Bounds of restarts after failures.
const (
	maxFailures   = 5
	failureWindow = 10 * time.Minute
	minBackoff    = time.Second
	maxBackoff    = time.Minute
)

// mayStartAgain counts a failure and says whether the guest is started again;
// Again says when.
func (c *Core) mayStartAgain() bool {
	l := &c.Life
	if !c.policy.OnFailure || l.Stop != nil {
		return false
	}
	l.Failures = slices.DeleteFunc(l.Failures, func(at time.Duration) bool { return c.now.Mono-at >= failureWindow })
	n := len(l.Failures)
	if n >= maxFailures {
		c.say("it failed %d times in %v: it is not started again", n+1, failureWindow)
		return false
	}
	delay := min(minBackoff<<n, maxBackoff)
	l.Failures = append(l.Failures, c.now.Mono)
	l.Again = c.now.Mono + delay
	c.say("it is started again in %v", delay)
	return true
}

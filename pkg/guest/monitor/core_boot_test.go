package monitor

import (
	"errors"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/guest/control"
	"github.com/sysct/sysct/pkg/guest/state"
)

func TestGuestReboots(t *testing.T) {
	c := tell(t, policy, nil, slices.Concat(boot(), []row{
		{9 * sec, Told{Ready: true}, "Inform", state.Running},
		{9 * sec, signalled(unix.SIGHUP), "Cleanup", state.Starting},
		{9 * sec, Cleaned{}, "Launch", state.Starting},
		{9 * sec, ask(1, control.OpStatus, -1), "Reply 1 ok", state.Starting},
		{9 * sec, Stored{Pid: 78}, "Proceed", state.Starting},
		{9 * sec, Launched{}, "Tell", state.Running},
	}))
	if r := c.Run(); r.Boots != 2 || r.Ready || r.Pid != 78 || !r.StartedAt.Equal(at(0).Wall) || r.Exit.Reason != state.ReasonReboot {
		t.Errorf("run is %+v", r)
	}
	// One that reboots at once is held back a little.
	tell(t, policy, nil, slices.Concat(boot(), []row{
		{10 * ms, signalled(unix.SIGHUP), "Cleanup", state.Starting},
		{20 * ms, Cleaned{}, "", state.Starting},
		{50 * ms, Tick{}, "", state.Starting},
		{110 * ms, Tick{}, "Launch", state.Starting},
	}))
	// A stop has the last word.
	tell(t, policy, nil, slices.Concat(boot(), []row{
		{9 * sec, signalled(unix.SIGHUP), "Cleanup", state.Starting},
		{9 * sec, ask(1, control.OpStop, -1), "", state.Stopping},
	}, end(9*sec, "Reply 1 ok, Exit")))
	tell(t, policy, nil, slices.Concat(boot(), []row{
		{9 * sec, ask(1, control.OpStop, -1), "Halt", state.Stopping},
		{9 * sec, signalled(unix.SIGHUP), "Cleanup", state.Stopping},
	}, end(9*sec, "Reply 1 ok, Exit")))
}

func TestHowItEnds(t *testing.T) {
	code := func(n int) *int { return &n }
	for name, c := range map[string]struct {
		ev      InitEnded
		reason  string
		signal  string
		code    *int
		failure bool
	}{
		"poweroff":  {signalled(unix.SIGINT), state.ReasonPoweroff, "", nil, false},
		"exit 0":    {exited(0), state.ReasonExited, "", code(0), false},
		"exit 3":    {exited(3), state.ReasonExited, "", code(3), true},
		"SEGV":      {signalled(unix.SIGSEGV), state.ReasonSignal, "SIGSEGV", nil, true},
		"KILL":      {signalled(unix.SIGKILL), state.ReasonSignal, "SIGKILL", nil, true},
		"OOM":       {InitEnded{Known: true, Status: 9, OOMKills: 1}, state.ReasonOOM, "SIGKILL", nil, true},
		"not known": {InitEnded{}, state.ReasonUnknown, "", nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			core := tell(t, policy, nil, slices.Concat(boot(), []row{
				{0, c.ev, "Cleanup", state.Stopping},
			}, end(0, "Exit")))
			e := core.Run().Exit
			if e.Reason != c.reason || e.Signal != c.signal || (e.Code == nil) != (c.code == nil) || e.Code != nil && *e.Code != *c.code {
				t.Errorf("exit is %+v", e)
			}
			after := state.Stopping
			if c.failure {
				after = state.Starting
			}
			tell(t, Policy{OnFailure: true}, nil, slices.Concat(boot(), []row{{0, c.ev, "Cleanup", after}}))
		})
	}
}

func TestExitStatusThatInitTold(t *testing.T) {
	three := 3
	c := tell(t, policy, nil, slices.Concat(boot(), []row{
		{0, Told{ExitStatus: &three}, "", state.Running},
		{0, signalled(unix.SIGINT), "Cleanup", state.Stopping},
	}))
	if e := c.Run().Exit; e.Code == nil || *e.Code != 3 {
		t.Errorf("exit is %+v", e)
	}
}

func TestRestartOnFailure(t *testing.T) {
	c := NewCore(Policy{OnFailure: true}, nil)
	step := func(d time.Duration, ev Event) string { return does(c.Step(at(d), ev)) }
	now := time.Duration(0)
	step(now, Begin{})
	for i, delay := range []time.Duration{1, 2, 4, 8, 16} {
		step(now, Stored{Pid: 77})
		step(now, Launched{})
		now += 5 * sec
		step(now, signalled(unix.SIGSEGV))
		if got := step(now, Cleaned{}); got != "" || c.Life.Phase != PhaseWait {
			t.Fatalf("failure %d: does %q in %s", i, got, c.Life.Phase)
		}
		if next, ok := c.Deadline(); !ok || next != at(now).Mono+delay*sec {
			t.Fatalf("failure %d: next boot at %v, want in %d s", i, next-at(now).Mono, delay)
		}
		now += delay * sec
		if got := step(now, Tick{}); got != "Launch" {
			t.Fatalf("failure %d: does %q after its pause", i, got)
		}
	}
	step(now, Stored{Pid: 77})
	step(now, Launched{})
	step(now, signalled(unix.SIGSEGV))
	if got := step(now, Cleaned{}); got != "Finish" {
		t.Errorf("the sixth failure in ten minutes: does %q", got)
	}
	// Ten minutes later the count begins anew.
	c.now = at(now + failureWindow + time.Minute)
	c.Life.Stop, c.policy.OnFailure = nil, true
	if !c.mayStartAgain() || c.Life.Again != c.now.Mono+minBackoff {
		t.Errorf("after the window: again at %v", c.Life.Again-c.now.Mono)
	}
}

// TestEndWithoutInit: in every phase in which no init runs, a stop and a kill end
// the life.
func TestEndWithoutInit(t *testing.T) {
	failing := Policy{OnFailure: true, StopTimeout: 60 * sec}
	begun := []row{{0, Begin{}, "Launch", state.Starting}}
	failed := slices.Concat(boot(), []row{{0, exited(1), "Cleanup", state.Starting}})
	waiting := slices.Concat(failed, []row{{0, Cleaned{}, "", state.Starting}})
	for name, c := range map[string]struct {
		before     []row
		kill, stop string // what is done at once, before or after the answer
		after      []row
		reason     string
	}{
		"launch": {begun, "", "", slices.Concat([]row{
			{0, Stored{Pid: 77}, "Proceed error", state.Stopping},
			{0, Launched{errStopped}, "Tell error, Cleanup", state.Stopping},
		}, end(0, "Exit")), state.ReasonKilled},
		"a launch that fails": {begun, "", "", slices.Concat([]row{
			{0, Launched{errors.New("busy")}, "Tell error, Cleanup", state.Stopping},
		}, end(0, "Exit")), state.ReasonKilled},
		"recover": {[]row{{0, Begin{Occupied: true}, "Recover", state.Starting}}, "KillAll, ", "", slices.Concat([]row{
			{0, Recovered{}, "Tell error, Cleanup", state.Stopping},
		}, end(0, "Exit")), state.ReasonKilled},
		"cleanup": {failed, "", "", end(0, "Exit"), state.ReasonExited},
		"backoff": {waiting, "Finish, ", "Finish, ", end(0, "Exit")[1:], state.ReasonExited},
	} {
		t.Run(name, func(t *testing.T) {
			for _, first := range []row{
				{0, killWith(1, unix.SIGKILL), c.kill + "Reply 1 ok", state.Stopping},
				{0, nowait(ask(1, control.OpStop, -1)), c.stop + "Reply 1 ok", state.Stopping},
			} {
				core := tell(t, failing, nil, slices.Concat(c.before, []row{first}, c.after))
				if e := core.Run().Exit; e.Reason != c.reason {
					t.Errorf("exit is %+v", e)
				}
			}
		})
	}
	// Between the go-ahead and the exec: what then runs is killed, or asked.
	stored := slices.Concat(begun, []row{{0, Stored{Pid: 77}, "Proceed", state.Starting}})
	tell(t, failing, nil, slices.Concat(stored, []row{
		{0, killWith(1, unix.SIGKILL), "Reply 1 ok", state.Stopping},
		{0, Launched{}, "Tell, KillAll", state.Stopping},
		{0, signalled(unix.SIGKILL), "Cleanup", state.Stopping},
	}, end(0, "Exit")))
	tell(t, failing, nil, slices.Concat(stored, []row{
		{0, nowait(ask(1, control.OpStop, -1)), "Reply 1 ok", state.Stopping},
		{0, Launched{}, "Tell, Halt", state.Stopping},
	}))
}

func TestStatusInBackoff(t *testing.T) {
	c := tell(t, Policy{OnFailure: true}, nil, slices.Concat(boot(), []row{
		{0, exited(1), "Cleanup", state.Starting},
		{0, ask(1, control.OpStatus, -1), "Reply 1 ok", state.Starting},
		{0, Cleaned{}, "", state.Starting},
		{0, ask(1, control.OpStatus, -1), "Reply 1 ok (it is started again in 1 s)", state.Starting},
		{300 * ms, ask(1, control.OpStatus, -1), "Reply 1 ok (it is started again in 1 s)", state.Starting},
	}))
	if r := c.Run(); r.Pid != 0 {
		t.Errorf("run is %+v", r)
	}
}

func TestStartFails(t *testing.T) {
	for _, p := range []Policy{policy, {OnFailure: true}} {
		c := tell(t, p, nil, slices.Concat([]row{
			{0, Begin{}, "Launch", state.Starting},
			{0, Launched{errors.New("no such file")}, "Tell error, Cleanup", state.Stopping},
		}, end(0, "Exit")))
		if r := c.Run(); r.Exit.Reason != state.ReasonFailed || r.Boots != 0 || r.Pid != 0 {
			t.Errorf("run is %+v", r)
		}
	}
	// A later boot is nobody's to mend: it is tried again.
	tell(t, Policy{OnFailure: true}, nil, slices.Concat(boot(), []row{
		{9 * sec, signalled(unix.SIGHUP), "Cleanup", state.Starting},
		{9 * sec, Cleaned{}, "Launch", state.Starting},
		{9 * sec, Launched{errors.New("busy")}, "Tell error, Cleanup", state.Starting},
		{9 * sec, Cleaned{}, "", state.Starting},
		{10 * sec, Tick{}, "Launch", state.Starting},
	}))
}

func TestStopOvertakesStart(t *testing.T) {
	tell(t, policy, nil, slices.Concat([]row{
		{0, Begin{}, "Launch", state.Starting},
		{0, ask(1, control.OpStop, -1), "", state.Stopping},
		{0, Stored{Pid: 77}, "Proceed error", state.Stopping},
		{0, Launched{errStopped}, "Tell error, Cleanup", state.Stopping},
	}, end(0, "Reply 1 ok, Exit")))
	tell(t, policy, nil, []row{
		{0, Begin{}, "Launch", state.Starting},
		{0, Stored{Pid: 77}, "Proceed", state.Starting},
		{0, ask(1, control.OpStop, -1), "", state.Stopping},
		{0, Launched{}, "Tell, Halt", state.Stopping},
	})
}

func TestRecover(t *testing.T) {
	tell(t, policy, nil, []row{
		{0, Begin{Occupied: true}, "Recover", state.Starting},
		{0, Recovered{}, "Launch", state.Starting},
	})
	tell(t, policy, nil, slices.Concat([]row{
		{0, Begin{Occupied: true}, "Recover", state.Starting},
		{0, Recovered{errors.New("they don't die")}, "Tell error, Cleanup", state.Stopping},
	}, end(0, "Exit")))
}

// TestInterruptedCallIsForgotten: a reboot(2) that wasn't carried out says nothing about
// an end that comes later; one that was, before it, does.
func TestInterruptedCallIsForgotten(t *testing.T) {
	lost := InitEnded{Doubtful: true, Status: unix.WaitStatus(unix.SIGKILL)}
	heard := []row{
		{0, Begin{}, "Launch", state.Starting},
		{0, Stored{Pid: 77, Heard: true}, "Proceed", state.Starting},
		{0, Launched{}, "Tell", state.Running},
	}
	for _, c := range []struct {
		calls  []row
		reason string
	}{
		{[]row{{sec, Called{state.ReasonPoweroff, 1}, "Allow", state.Running}, {sec, CallGone{1}, "", state.Running}}, state.ReasonSignal},
		{[]row{
			{sec, Called{state.ReasonPoweroff, 1}, "Allow", state.Running}, {sec, Called{state.ReasonReboot, 2}, "Allow", state.Running},
			{sec, CallGone{2}, "", state.Running}, {sec, CallGone{1}, "", state.Running},
		}, state.ReasonPoweroff},
	} {
		story := append(slices.Concat(heard, c.calls), row{9 * sec, lost, "Cleanup", state.Stopping})
		if got := tell(t, policy, nil, story).Life.Exit.Reason; got != c.reason {
			t.Errorf("%s, want %s", got, c.reason)
		}
	}
}

// TestUnknownEndOfHeardGuest: where nobody can say how init ended, it crashed if it would
// have told of any other end.
func TestUnknownEndOfHeardGuest(t *testing.T) {
	zero := 0
	for name, c := range map[string]struct {
		heard   bool
		told    Told
		entered bool
		again   bool
	}{
		"a crash":               {heard: true, told: Told{Ready: true}, again: true},
		"it isn't heard":        {told: Told{Ready: true}},
		"an init that is quiet": {heard: true},
		"it told of an exit":    {heard: true, told: Told{Ready: true, ExitStatus: &zero}},
		"somebody came in":      {heard: true, told: Told{Ready: true}, entered: true},
	} {
		t.Run(name, func(t *testing.T) {
			core := NewCore(Policy{StopTimeout: 60 * sec, OnFailure: true}, nil)
			for _, ev := range []Event{Begin{}, Stored{Pid: 77, Heard: c.heard}, Launched{}} {
				core.Step(at(0), ev)
			}
			if c.told.Ready {
				core.Step(at(sec), c.told)
			}
			core.Life.Entered = c.entered
			core.Step(at(9*sec), InitEnded{})
			if again := !core.Life.Final; again != c.again || core.Life.Exit.Reason != state.ReasonUnknown {
				t.Errorf("it is started again: %v, exit %+v", again, core.Life.Exit)
			}
		})
	}
}

package monitor

import (
	"errors"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/guest/control"
	"github.com/sysct/sysct/pkg/guest/state"
)

func TestCleanStop(t *testing.T) {
	c := tell(t, policy, nil, slices.Concat(boot(), []row{
		{5 * sec, ask(1, control.OpStop, -1), "Halt", state.Stopping},
		{5 * sec, Halted{Retry: true}, "", state.Stopping},
		{5*sec + 100*ms, Tick{}, "Halt", state.Stopping},
		{6 * sec, Halted{How: "SIGRTMIN+4"}, "", state.Stopping},
		{7 * sec, ask(2, control.OpStatus, -1), "Reply 2 ok", state.Stopping},
		{8 * sec, signalled(unix.SIGINT), "Cleanup", state.Stopping},
	}, end(8*sec, "Reply 1 ok, Exit")))
	if e := c.Run().Exit; e.Reason != state.ReasonPoweroff || e.Signal != "" || e.Code != nil {
		t.Errorf("exit is %+v", e)
	}
}

func TestStopTimesOut(t *testing.T) {
	story := slices.Concat(boot(), []row{
		{0, ask(1, control.OpStop, 2*sec), "Halt", state.Stopping},
		{0, Halted{How: "SIGUSR2"}, "", state.Stopping},
		{1 * sec, Tick{}, "", state.Stopping},
		{2 * sec, Tick{}, "KillAll", state.Stopping},
		{3 * sec, Tick{}, "", state.Stopping},
		{4 * sec, Tick{}, "FreeInit", state.Stopping}, // still there
		{4 * sec, Stuck{}, "", state.Stopping},
		{7 * sec, Tick{}, "KillAll", state.Stopping},
		{8 * sec, signalled(unix.SIGKILL), "Cleanup", state.Stopping},
	}, end(8*sec, "Reply 1 ok (killed: it did not stop in 2s), Exit"))
	c := tell(t, Policy{OnFailure: true, StopTimeout: 60 * sec}, nil, story)
	if e := c.Run().Exit; e.Reason != state.ReasonKilled || e.Signal != "SIGKILL" {
		t.Errorf("exit is %+v", e)
	}
}

// TestKilledButStuck: who waits for the end is told that it waits for somebody.
func TestKilledButStuck(t *testing.T) {
	waits := Stuck{Waits: "process 9 (nsenter), which does not reap"}
	tell(t, policy, nil, slices.Concat(boot(), []row{
		{0, ask(1, control.OpStop, 1*sec), "Halt", state.Stopping},
		{0, waitFor(2, -1, false, state.Stopped), "", state.Stopping},
		{0, waitFor(3, -1, true), "", state.Stopping},
		{1 * sec, Tick{}, "KillAll", state.Stopping},
		{3 * sec, Tick{}, "FreeInit", state.Stopping},
		{3 * sec, waits, "Reply 1 failed, Reply 2 failed", state.Stopping},
		{4 * sec, ask(4, control.OpStop, -1), "", state.Stopping},
		{6 * sec, Tick{}, "KillAll", state.Stopping},
		{8 * sec, Tick{}, "FreeInit", state.Stopping},
		{8 * sec, Stuck{Ended: []int{8}}, "", state.Stopping},
		{8 * sec, signalled(unix.SIGKILL), "Cleanup", state.Stopping},
		{9 * sec, waits, "", state.Stopping},
	}, end(9*sec, "Reply 4 ok (killed: it did not stop in 1s), Reply 3 state, Exit")))
}

func TestStopWithoutKill(t *testing.T) {
	tell(t, policy, nil, slices.Concat(boot(), []row{
		{0, nokill(ask(1, control.OpStop, 2*sec)), "Halt", state.Stopping},
		{0, Halted{How: "SIGUSR2"}, "", state.Stopping},
		{2 * sec, Tick{}, "Reply 1 timeout", state.Stopping},
		{100 * sec, Tick{}, "", state.Stopping},
		// A stop that may kill sets a deadline, an earlier one moves it.
		{100 * sec, ask(2, control.OpStop, 20*sec), "", state.Stopping},
		{100 * sec, ask(3, control.OpStop, 5*sec), "", state.Stopping},
		{105 * sec, Tick{}, "KillAll", state.Stopping},
		{105 * sec, signalled(unix.SIGKILL), "Cleanup", state.Stopping},
	}, end(105*sec, "Reply 2 ok (killed: it did not stop in 5s), Reply 3 ok (killed: it did not stop in 5s), Exit")))
}

func TestNobodyToAsk(t *testing.T) {
	none := Halted{Err: errors.New("no poweroff")}
	tell(t, policy, nil, slices.Concat(boot(), []row{
		{0, ask(1, control.OpStop, -1), "Halt", state.Stopping},
		{0, none, "KillAll", state.Stopping},
	}))
	tell(t, policy, nil, slices.Concat(boot(), []row{
		{0, nokill(ask(1, control.OpStop, sec)), "Halt", state.Stopping},
		{0, none, "", state.Stopping},
		{sec, Tick{}, "Reply 1 timeout", state.Stopping},
		{2 * sec, killWith(2, unix.SIGKILL), "KillAll, Reply 2 ok", state.Stopping},
	}))
}

func TestAskedTooEarly(t *testing.T) {
	tell(t, policy, nil, slices.Concat(boot(), []row{
		{0, ask(1, control.OpStop, 20*sec), "Halt", state.Stopping},
		{0, Halted{How: "runit-init 0"}, "", state.Stopping},
		{sec, Prompted{}, "Inform, Halt", state.Stopping},
		{sec, Halted{How: "runit-init 0"}, "", state.Stopping},
		{2 * sec, Prompted{}, "", state.Stopping}, // it is ready only once
		{3 * sec, signalled(unix.SIGINT), "Cleanup", state.Stopping},
	}, end(3*sec, "Reply 1 ok, Exit")))
	// Nobody is asked after a kill.
	tell(t, policy, nil, slices.Concat(boot(), []row{
		{0, ask(1, control.OpStop, sec), "Halt", state.Stopping},
		{0, Halted{How: "runit-init 0"}, "", state.Stopping},
		{sec, Tick{}, "KillAll", state.Stopping},
		{sec, Prompted{}, "Inform", state.Stopping},
	}))
}

func TestTerminate(t *testing.T) {
	tell(t, policy, nil, slices.Concat(boot(), []row{
		{0, Terminate{}, "Inform, Halt", state.Stopping},
		{0, Halted{}, "", state.Stopping},
		{60 * sec, Tick{}, "KillAll", state.Stopping},
		{60 * sec, signalled(unix.SIGKILL), "Cleanup", state.Stopping},
	}, end(60*sec, "Exit")))
}

func TestKill(t *testing.T) {
	c := tell(t, Policy{OnFailure: true}, nil, slices.Concat(boot(), []row{
		{0, killWith(1, unix.SIGUSR1), "Signal SIGUSR1, Reply 1 ok", state.Running},
		{0, killWith(1, unix.SIGKILL), "KillAll, Reply 1 ok", state.Stopping},
		{0, waitFor(1, -1, false, state.Stopped), "", state.Stopping},
		{0, signalled(unix.SIGKILL), "Cleanup", state.Stopping},
	}, end(0, "Reply 1 ok, Exit")))
	if e := c.Run().Exit; e.Reason != state.ReasonKilled {
		t.Errorf("exit is %+v", e)
	}
	// A signal that sysct sent is no failure.
	c = tell(t, Policy{OnFailure: true}, nil, slices.Concat(boot(), []row{
		{0, killWith(1, unix.SIGTERM), "Signal SIGTERM, Reply 1 ok", state.Running},
		{0, signalled(unix.SIGTERM), "Cleanup", state.Stopping},
	}, end(0, "Exit")))
	if e := c.Run().Exit; e.Reason != state.ReasonKilled || e.Signal != "SIGTERM" {
		t.Errorf("exit is %+v", e)
	}
	tell(t, policy, nil, slices.Concat(boot(), []row{
		{0, killWith(1, 0), "Reply 1 invalid", state.Running},
		{0, killWith(1, 65), "Reply 1 invalid", state.Running},
	}))
}

func TestStopDuringBackoff(t *testing.T) {
	tell(t, Policy{OnFailure: true}, nil, slices.Concat(boot(), []row{
		{0, exited(1), "Cleanup", state.Starting},
		{0, Cleaned{}, "", state.Starting},
		{0, waitFor(2, -1, true), "", state.Starting},
		{0, ask(1, control.OpStop, -1), "Finish", state.Stopping},
		{0, Finished{}, "LetGo, Reply 1 ok, Reply 2 state, Exit", state.Stopped},
	}))
}

// TestNoTime: a stop without time is a kill.
func TestNoTime(t *testing.T) {
	note := " (killed: it was given no time to stop), Exit"
	tell(t, Policy{}, nil, slices.Concat(boot(), []row{
		{0, ask(1, control.OpStop, -1), "KillAll", state.Stopping},
		{0, signalled(unix.SIGKILL), "Cleanup", state.Stopping},
	}, end(0, "Reply 1 ok"+note)))
	tell(t, policy, nil, slices.Concat(boot(), []row{
		{0, ask(1, control.OpStop, 0), "KillAll", state.Stopping},
	}))
}

// TestUnknownRequest: one of a newer program is of another version, not nonsense.
func TestUnknownRequest(t *testing.T) {
	tell(t, policy, nil, slices.Concat(boot(), []row{
		{0, ask(1, "fly", -1), "Reply 1 version", state.Running},
	}))
}

package monitor

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/signame"
	"github.com/sysct/sysct/pkg/guest/control"
	"github.com/sysct/sysct/pkg/guest/state"
	"github.com/sysct/sysct/pkg/limits"
)

// row is one step of a story: what happens when, what is done about it, and
// what the guest is then.
type row struct {
	at    time.Duration
	ev    Event
	does  string
	state state.State
}

// tell runs a story and returns its core.
func tell(t *testing.T, p Policy, life *Life, story []row) *Core {
	t.Helper()
	c := NewCore(p, life)
	for i, r := range story {
		got := does(c.Step(at(r.at), r.ev))
		if got != r.does {
			t.Fatalf("row %d, %T: does %q, want %q", i, r.ev, got, r.does)
		}
		if c.Life.State != r.state {
			t.Fatalf("row %d, %T: is %s, want %s", i, r.ev, c.Life.State, r.state)
		}
	}
	return c
}

func at(d time.Duration) Now {
	// Monotonic clocks don't begin with the guest.
	return Now{Mono: d + time.Hour, Wall: time.Unix(1e9, 0).Add(d)}
}

// does writes actions down, without those that every step has.
func does(actions []Action) string {
	var out []string
	for _, a := range actions {
		switch a := a.(type) {
		case Save, Say:
		case Proceed:
			out = append(out, orError("Proceed", a.Err))
		case Tell:
			out = append(out, orError("Tell", a.Err))
		case Signal:
			out = append(out, "Signal "+signame.Name(a.Sig))
		case Freeze:
			out = append(out, fmt.Sprint("Freeze ", a.Timeout))
		case Reply:
			out = append(out, reply(a))
		default:
			out = append(out, strings.TrimPrefix(fmt.Sprintf("%T", a), "monitor."))
		}
	}
	return strings.Join(out, ", ")
}

func orError(word string, err error) string {
	if err != nil {
		return word + " error"
	}
	return word
}

func reply(r Reply) string {
	s := fmt.Sprintf("Reply %d ok", r.Client)
	if e := r.Resp.Error; e != nil {
		s = fmt.Sprintf("Reply %d %s", r.Client, e.Kind)
	}
	if r.Resp.Note != "" {
		s += " (" + r.Resp.Note + ")"
	}
	return s
}

// ask is a client's request; timeout < 0: none is said.
func ask(client int, op control.Op, timeout time.Duration) Asked {
	req := &control.Request{Op: op}
	if timeout >= 0 {
		req.SetTimeout(timeout)
	}
	return Asked{client, req}
}

func nokill(a Asked) Asked {
	a.Req.NoKill = true
	return a
}

func nowait(a Asked) Asked {
	a.Req.NoWait = true
	return a
}

func killWith(client int, sig unix.Signal) Asked {
	return Asked{client, &control.Request{Op: control.OpKill, Signal: int(sig)}}
}

func waitFor(client int, timeout time.Duration, ready bool, states ...state.State) Asked {
	a := ask(client, control.OpWait, timeout)
	a.Req.Ready, a.Req.States = ready, states
	return a
}

// Ends of init.
func signalled(sig unix.Signal) InitEnded {
	return InitEnded{Known: true, Status: unix.WaitStatus(sig)}
}

func exited(code int) InitEnded {
	return InitEnded{Known: true, Status: unix.WaitStatus(code << 8)}
}

const (
	ms  = time.Millisecond
	sec = time.Second
)

// boot is a story's beginning: a guest that runs from second 0.
func boot() []row {
	return []row{
		{0, Begin{}, "Launch", state.Starting},
		{0, Stored{Pid: 77}, "Proceed", state.Starting},
		{0, Launched{}, "Tell", state.Running},
	}
}

// end is a story's end, once init has gone.
func end(at time.Duration, does string) []row {
	return []row{
		{at, Cleaned{}, "Finish", state.Stopping},
		{at, Finished{}, "LetGo, " + does, state.Stopped},
	}
}

var policy = Policy{StopTimeout: 60 * sec}

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

func TestClientThatDoesNotWait(t *testing.T) {
	tell(t, policy, nil, slices.Concat(boot(), []row{
		{0, ask(1, control.OpStop, -1), "Halt", state.Stopping},
		{0, ClientGone{1}, "", state.Stopping},
		{0, Halted{}, "", state.Stopping},
		{1 * sec, signalled(unix.SIGINT), "Cleanup", state.Stopping},
	}, end(1*sec, "Exit")))
}

func TestTerminate(t *testing.T) {
	tell(t, policy, nil, slices.Concat(boot(), []row{
		{0, Terminate{}, "Halt", state.Stopping},
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

func TestGuestReboots(t *testing.T) {
	c := tell(t, policy, nil, slices.Concat(boot(), []row{
		{9 * sec, Told{Ready: true}, "", state.Running},
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
		"OOM":       {InitEnded{Known: true, Status: 9, OOM: true}, state.ReasonOOM, "SIGKILL", nil, true},
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

func TestStopDuringBackoff(t *testing.T) {
	tell(t, Policy{OnFailure: true}, nil, slices.Concat(boot(), []row{
		{0, exited(1), "Cleanup", state.Starting},
		{0, Cleaned{}, "", state.Starting},
		{0, waitFor(2, -1, true), "", state.Starting},
		{0, ask(1, control.OpStop, -1), "Finish", state.Stopping},
		{0, Finished{}, "LetGo, Reply 1 ok, Reply 2 state, Exit", state.Stopped},
	}))
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

func TestStopThatIsNotWaitedFor(t *testing.T) {
	tell(t, policy, nil, slices.Concat(boot(), []row{
		{0, nowait(ask(1, control.OpStop, -1)), "Halt, Reply 1 ok", state.Stopping},
		{0, nokill(nowait(ask(2, control.OpStop, 0))), "Reply 2 ok", state.Stopping},
		{0, Halted{}, "", state.Stopping},
		{9 * sec, signalled(unix.SIGINT), "Cleanup", state.Stopping},
	}, end(9*sec, "Exit")))
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

func TestFreezeAndThaw(t *testing.T) {
	tell(t, policy, nil, slices.Concat(boot(), []row{
		{0, ask(1, control.OpThaw, -1), "Reply 1 state", state.Running},
		{0, ask(1, control.OpFreeze, 3*sec), "Freeze 3s", state.Freezing},
		{0, ask(2, control.OpFreeze, -1), "Reply 2 busy", state.Freezing},
		{0, FreezeDone{}, "Reply 1 ok", state.Frozen},
		{0, ask(2, control.OpFreeze, -1), "Reply 2 state", state.Frozen},
		{0, ask(2, control.OpThaw, -1), "Thaw", state.Thawed},
		{0, ThawDone{}, "Reply 2 ok", state.Running},
		{0, ask(1, control.OpFreeze, -1), "Freeze 10s", state.Freezing},
		{0, FreezeDone{fmt.Errorf("cannot freeze: %w", limits.ErrTimeout)}, "Reply 1 timeout", state.Running},
		{0, ask(1, control.OpFreeze, -1), "Freeze 10s", state.Freezing},
		{0, FreezeDone{}, "Reply 1 ok", state.Frozen},
		{0, ask(1, control.OpThaw, -1), "Thaw", state.Thawed},
		{0, ThawDone{errors.New("frozen from above")}, "Reply 1 failed", state.Frozen},
	}))
}

func TestStopOfFrozen(t *testing.T) {
	frozen := slices.Concat(boot(), []row{
		{0, ask(1, control.OpFreeze, -1), "Freeze 10s", state.Freezing},
		{0, FreezeDone{}, "Reply 1 ok", state.Frozen},
	})
	tell(t, policy, nil, slices.Concat(frozen, []row{
		{0, ask(1, control.OpStop, -1), "Thaw", state.Stopping},
		{0, ThawDone{}, "Halt", state.Stopping},
	}))
	tell(t, policy, nil, slices.Concat(frozen, []row{
		{0, killWith(1, unix.SIGKILL), "KillAll, Reply 1 ok", state.Stopping},
		{0, signalled(unix.SIGKILL), "Cleanup", state.Stopping},
	}))
	tell(t, policy, nil, slices.Concat(frozen, []row{
		{0, ask(1, control.OpStop, -1), "Thaw", state.Stopping},
		{0, ThawDone{errors.New("frozen from above")}, "KillAll", state.Stopping},
	}))
	// Killed from elsewhere while frozen.
	tell(t, Policy{OnFailure: true}, nil, slices.Concat(frozen, []row{
		{0, signalled(unix.SIGKILL), "Cleanup", state.Starting},
	}))
}

func TestStopWhileFreezing(t *testing.T) {
	tell(t, policy, nil, slices.Concat(boot(), []row{
		{0, ask(1, control.OpFreeze, -1), "Freeze 10s", state.Freezing},
		{0, ask(2, control.OpStop, -1), "", state.Stopping},
		{0, FreezeDone{}, "Reply 1 failed, Thaw", state.Stopping},
		{0, ThawDone{}, "Halt", state.Stopping},
	}))
	tell(t, policy, nil, slices.Concat(boot(), []row{
		{0, ask(1, control.OpFreeze, -1), "Freeze 10s", state.Freezing},
		{0, ask(2, control.OpStop, -1), "", state.Stopping},
		{0, FreezeDone{limits.ErrTimeout}, "Reply 1 timeout, Halt", state.Stopping},
	}))
}

func TestReady(t *testing.T) {
	tell(t, policy, nil, slices.Concat(boot(), []row{
		{0, waitFor(1, -1, true), "", state.Running},
		{0, waitFor(2, 2*sec, true), "", state.Running},
		{0, waitFor(3, -1, false), "Reply 3 invalid", state.Running},
		{0, waitFor(3, -1, false, "ALIVE"), "Reply 3 invalid", state.Running},
		{0, waitFor(3, -1, false, state.Frozen, state.Running), "Reply 3 ok", state.Running},
		{2 * sec, Tick{}, "Reply 2 timeout", state.Running},
		{3 * sec, Told{Status: "booting"}, "", state.Running},
		{3 * sec, Prompted{}, "", state.Running}, // it can say it better
		{4 * sec, Told{Ready: true}, "Reply 1 ok", state.Running},
		{5 * sec, waitFor(1, -1, true), "Reply 1 ok", state.Running},
	}))
	tell(t, policy, nil, slices.Concat(boot(), []row{
		{0, waitFor(1, -1, true), "", state.Running},
		{0, Prompted{Systemd: true}, "", state.Running},
		{0, Prompted{}, "Reply 1 ok", state.Running},
	}))
}

func TestReadyCommand(t *testing.T) {
	c := tell(t, Policy{ReadyCmd: true}, nil, slices.Concat(boot(), []row{
		{0, waitFor(1, -1, true), "", state.Running},
		{1 * ms, Tick{}, "CheckReady", state.Running},
		{1 * sec, Prompted{}, "", state.Running},
		{2 * sec, Tick{}, "", state.Running}, // one at a time
		{3 * sec, ReadyChecked{}, "", state.Running},
		{3*sec + 999*ms, Tick{}, "", state.Running},
		{4 * sec, Tick{}, "CheckReady", state.Running},
		{4 * sec, ask(2, control.OpFreeze, -1), "Freeze 10s", state.Freezing},
		{5 * sec, ReadyChecked{}, "", state.Freezing},
		{9 * sec, Tick{}, "", state.Freezing}, // a frozen guest runs no command
		{9 * sec, FreezeDone{limits.ErrTimeout}, "Reply 2 timeout", state.Running},
		{9 * sec, Tick{}, "CheckReady", state.Running},
		{9 * sec, ReadyChecked{true}, "Reply 1 ok", state.Running},
	}))
	if _, ok := c.Deadline(); ok {
		t.Error("a guest that is ready needs no timer")
	}
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

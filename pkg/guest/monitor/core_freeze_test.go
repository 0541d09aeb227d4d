package monitor

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/guest/control"
	"github.com/sysct/sysct/pkg/guest/state"
	"github.com/sysct/sysct/pkg/limits"
)

func TestClientThatDoesNotWait(t *testing.T) {
	tell(t, policy, nil, slices.Concat(boot(), []row{
		{0, ask(1, control.OpStop, -1), "Halt", state.Stopping},
		{0, ClientGone{1}, "", state.Stopping},
		{0, Halted{}, "", state.Stopping},
		{1 * sec, signalled(unix.SIGINT), "Cleanup", state.Stopping},
	}, end(1*sec, "Exit")))
}

func TestStopThatIsNotWaitedFor(t *testing.T) {
	tell(t, policy, nil, slices.Concat(boot(), []row{
		{0, nowait(ask(1, control.OpStop, -1)), "Halt, Reply 1 ok", state.Stopping},
		{0, nokill(nowait(ask(2, control.OpStop, 0))), "Reply 2 ok", state.Stopping},
		{0, Halted{}, "", state.Stopping},
		{9 * sec, signalled(unix.SIGINT), "Cleanup", state.Stopping},
	}, end(9*sec, "Exit")))
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
		{0, FreezeDone{}, "Reply 1 state, Thaw", state.Stopping},
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
		{4 * sec, Told{Ready: true}, "Inform, Reply 1 ok", state.Running},
		{5 * sec, waitFor(1, -1, true), "Reply 1 ok", state.Running},
	}))
	tell(t, policy, nil, slices.Concat(boot(), []row{
		{0, waitFor(1, -1, true), "", state.Running},
		{0, Prompted{Systemd: true}, "", state.Running},
		{0, Prompted{}, "Inform, Reply 1 ok", state.Running},
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
		{9 * sec, ReadyChecked{true}, "Inform, Reply 1 ok", state.Running},
	}))
	if _, ok := c.Deadline(); ok {
		t.Error("a guest that is ready needs no timer")
	}
}

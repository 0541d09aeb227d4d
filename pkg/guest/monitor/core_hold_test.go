package monitor

import (
	"errors"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/guest/control"
	"github.com/sysct/sysct/pkg/guest/state"
)

func hold(a Asked) Asked {
	a.Req.Hold = true
	return a
}

// held is a guest that holds still for client 1.
func held() []row {
	return slices.Concat(boot(), []row{
		{0, hold(ask(1, control.OpFreeze, -1)), "Freeze 10s", state.Freezing},
		{0, FreezeDone{}, "Reply 1 ok", state.Frozen},
	})
}

func TestHold(t *testing.T) {
	c := tell(t, policy, nil, slices.Concat(held(), []row{
		{0, ask(2, control.OpThaw, -1), "Reply 2 busy", state.Frozen},
		{0, ask(2, control.OpFreeze, -1), "Reply 2 busy", state.Frozen},
		{0, hold(ask(2, control.OpFreeze, -1)), "Reply 2 busy", state.Frozen},
		{0, hold(ask(2, control.OpThaw, -1)), "Reply 2 state", state.Frozen},
		{0, hold(ask(1, control.OpThaw, 3*sec)), "Thaw", state.Thawed},
		{0, ThawDone{}, "Reply 1 ok", state.Running},
		{0, ClientGone{1}, "", state.Running},
		{0, ask(2, control.OpFreeze, -1), "Freeze 10s", state.Freezing},
	}))
	if c.Life.Held {
		t.Error("it is noted as held")
	}
}

func TestHolderThatGoes(t *testing.T) {
	tell(t, policy, nil, slices.Concat(held(), []row{
		{0, ClientGone{2}, "", state.Frozen},
		{0, ClientGone{1}, "Thaw", state.Thawed},
		{0, ThawDone{}, "", state.Running},
	}))
	tell(t, policy, nil, slices.Concat(boot(), []row{
		{0, hold(ask(1, control.OpFreeze, -1)), "Freeze 10s", state.Freezing},
		{0, ClientGone{1}, "", state.Freezing},
		{0, FreezeDone{}, "Thaw", state.Thawed},
		{0, ThawDone{}, "", state.Running},
	}))
	tell(t, policy, nil, slices.Concat(boot(), []row{
		{0, hold(ask(1, control.OpFreeze, -1)), "Freeze 10s", state.Freezing},
		{0, FreezeDone{errors.New("no")}, "Reply 1 failed", state.Running},
		{0, ClientGone{1}, "", state.Running},
	}))
}

// A guest that its user has frozen stays so.
func TestHoldOfAFrozenGuest(t *testing.T) {
	frozen := slices.Concat(boot(), []row{
		{0, ask(9, control.OpFreeze, -1), "Freeze 10s", state.Freezing},
		{0, FreezeDone{}, "Reply 9 ok", state.Frozen},
		{0, hold(ask(1, control.OpFreeze, -1)), "Reply 1 ok", state.Frozen},
		{0, ask(9, control.OpThaw, -1), "Reply 9 busy", state.Frozen},
	})
	tell(t, policy, nil, slices.Concat(frozen, []row{
		{0, hold(ask(1, control.OpThaw, -1)), "Reply 1 ok", state.Frozen},
		{0, ask(9, control.OpThaw, -1), "Thaw", state.Thawed},
	}))
	tell(t, policy, nil, slices.Concat(frozen, []row{
		{0, ClientGone{1}, "", state.Frozen},
		{0, ask(9, control.OpThaw, -1), "Thaw", state.Thawed},
	}))
}

// A stop waits for the end of the hold, a kill doesn't.
func TestStopOfAHeldGuest(t *testing.T) {
	tell(t, policy, nil, slices.Concat(held(), []row{
		{0, ask(2, control.OpStop, -1), "", state.Stopping},
		{0, hold(ask(1, control.OpThaw, -1)), "Reply 1 ok, Thaw", state.Stopping},
		{0, ThawDone{}, "Halt", state.Stopping},
	}))
	tell(t, policy, nil, slices.Concat(held(), []row{
		{0, ask(2, control.OpStop, -1), "", state.Stopping},
		{0, ClientGone{1}, "Thaw", state.Stopping},
	}))
	tell(t, policy, nil, slices.Concat(held(), []row{
		{0, killWith(2, unix.SIGKILL), "KillAll, Reply 2 ok", state.Stopping},
		{0, signalled(unix.SIGKILL), "Cleanup", state.Stopping},
		{0, hold(ask(1, control.OpThaw, -1)), "Reply 1 state", state.Stopping},
	}))
	tell(t, policy, nil, slices.Concat(boot(), []row{
		{0, hold(ask(1, control.OpFreeze, -1)), "Freeze 10s", state.Freezing},
		{0, ask(2, control.OpStop, -1), "", state.Stopping},
		{0, FreezeDone{}, "Reply 1 state, Thaw", state.Stopping},
	}))
}

// With the monitor the connection died, and with it the hold.
func TestAdoptionOfAHeldGuest(t *testing.T) {
	for _, s := range []state.State{state.Freezing, state.Frozen} {
		life := &Life{Phase: PhaseUp, State: s, Pid: 7, Frozen: true, Held: true}
		tell(t, policy, life, []row{
			{0, Adopt{Facts{Alive: true, Booted: true, Frozen: true}}, "Thaw", state.Thawed},
			{0, ThawDone{}, "", state.Running},
		})
	}
	life := &Life{Phase: PhaseUp, State: state.Frozen, Pid: 7, Frozen: true}
	tell(t, policy, life, []row{
		{0, Adopt{Facts{Alive: true, Booted: true, Frozen: true}}, "", state.Frozen},
	})
}

package monitor

import (
	"errors"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/guest/control"
	"github.com/sysct/sysct/pkg/guest/state"
)

// TestStopGivesHooksUp: a stop doesn't wait for the hooks of a launch, and its starter is
// told that it was the stop; those of an end are cut short only by a kill.
func TestStopGivesHooksUp(t *testing.T) {
	hooked := Policy{StopTimeout: 60 * sec, Hooks: true}
	for _, stop := range []Asked{ask(1, control.OpStop, 9*sec), killWith(1, unix.SIGKILL)} {
		replies := "Reply 1 ok, Exit"
		first := "GiveUp"
		if stop.Req.Op == control.OpKill {
			replies, first = "Exit", "GiveUp, Reply 1 ok"
		}
		for _, stored := range []bool{false, true} {
			begun := []row{{0, Begin{}, "Launch", state.Starting}}
			if stored {
				begun = append(begun, row{0, Stored{Pid: 77}, "Proceed", state.Starting})
			}
			c := tell(t, hooked, nil, slices.Concat(begun, []row{
				{sec, stop, first, state.Stopping},
				{sec, Launched{errors.New("the stage died")}, "Tell error, Cleanup", state.Stopping},
			}, end(sec, replies)))
			if c.Life.Exit.Reason != state.ReasonKilled {
				t.Errorf("exit is %+v", c.Life.Exit)
			}
		}
	}
	ending := slices.Concat(boot(), []row{{0, exited(0), "Cleanup", state.Stopping}})
	tell(t, hooked, nil, slices.Concat(ending, []row{
		{0, ask(1, control.OpStop, 9*sec), "", state.Stopping},
		{0, killWith(2, unix.SIGKILL), "GiveUp, Reply 2 ok", state.Stopping},
	}, end(0, "Reply 1 ok, Exit")))
	// Without hooks nothing is given up.
	tell(t, policy, nil, []row{
		{0, Begin{}, "Launch", state.Starting},
		{0, ask(1, control.OpStop, 9*sec), "", state.Stopping},
	})
}

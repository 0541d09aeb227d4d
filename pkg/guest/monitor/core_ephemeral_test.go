package monitor

import (
	"errors"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/guest/control"
	"github.com/sysct/sysct/pkg/guest/state"
)

func ephemeral() Policy {
	p := policy
	p.Ephemeral = true
	return p
}

// bootOnce is boot for an ephemeral guest.
func bootOnce() []row {
	rows := slices.Clone(boot())
	last := &rows[len(rows)-1]
	last.does = "Mark, " + last.does
	return rows
}

func keep(a Asked) Asked {
	a.Req.Keep = true
	return a
}

func TestEphemeralGuestIsDestroyed(t *testing.T) {
	tell(t, ephemeral(), nil, slices.Concat(bootOnce(), []row{
		{1 * sec, ask(1, control.OpStop, -1), "Halt", state.Stopping},
		{1 * sec, Halted{}, "", state.Stopping},
		{1 * sec, signalled(unix.SIGINT), "Cleanup", state.Stopping},
		{1 * sec, Cleaned{}, "Finish", state.Stopping},
		{1 * sec, Finished{}, "LetGo, Inform, Destroy", state.Stopping},
		{1 * sec, Destroyed{}, "LetGo, Reply 1 ok, Exit", state.Stopped},
	}))
	tell(t, ephemeral(), nil, slices.Concat(bootOnce(), []row{
		{1 * sec, signalled(unix.SIGINT), "Cleanup", state.Stopping},
		{1 * sec, Cleaned{}, "Finish", state.Stopping},
		{1 * sec, Finished{}, "LetGo, Inform, Destroy", state.Stopping},
		{2 * sec, Destroyed{}, "LetGo, Exit", state.Stopped},
	}))
}

// Who has the guest's lock may be waiting for its end, to start or to destroy it.
func TestEphemeralGuestThatAnotherVerbHas(t *testing.T) {
	tell(t, ephemeral(), nil, slices.Concat(bootOnce(), []row{
		{1 * sec, signalled(unix.SIGINT), "Cleanup", state.Stopping},
		{1 * sec, waitFor(1, -1, false, state.Stopped), "", state.Stopping},
		{1 * sec, Cleaned{}, "Finish", state.Stopping},
		{1 * sec, Finished{}, "LetGo, Inform, Destroy", state.Stopping},
		{2 * sec, Destroyed{Held: true}, "LetGo, Reply 1 ok, Destroy", state.Stopped},
		{9 * sec, Destroyed{Held: true}, "Exit", state.Stopped},
	}))
}

func TestEphemeralGuestThatIsStartedAgain(t *testing.T) {
	tell(t, ephemeral(), nil, slices.Concat(bootOnce(), []row{
		{1 * sec, keep(ask(1, control.OpStop, -1)), "Halt", state.Stopping},
		{1 * sec, Halted{}, "", state.Stopping},
		{1 * sec, signalled(unix.SIGINT), "Cleanup", state.Stopping},
	}, endKept("Reply 1 ok, Exit")))
	tell(t, ephemeral(), nil, slices.Concat(bootOnce(), []row{
		{1 * sec, keep(killWith(1, unix.SIGKILL)), "KillAll, Reply 1 ok", state.Stopping},
		{1 * sec, signalled(unix.SIGKILL), "Cleanup", state.Stopping},
	}, endKept("Exit")))
}

// endKept is end for an ephemeral guest that is no rest of a life.
func endKept(does string) []row {
	rows := end(1*sec, does)
	rows[1].does = "Unmark, " + rows[1].does
	return rows
}

// A start that waits for the monitor's end has the lock that the monitor waits for.
func TestEphemeralGuestThatAStartWaitsFor(t *testing.T) {
	ends := slices.Concat(bootOnce(), []row{
		{1 * sec, signalled(unix.SIGINT), "Cleanup", state.Stopping},
		{1 * sec, Cleaned{}, "Finish", state.Stopping},
		{1 * sec, Finished{}, "LetGo, Inform, Destroy", state.Stopping},
	})
	tell(t, ephemeral(), nil, slices.Concat(ends, []row{
		{2 * sec, Terminate{}, "GiveWay", state.Stopping},
		{2 * sec, Destroyed{Held: true}, "LetGo, Exit", state.Stopped},
	}))
	tell(t, ephemeral(), nil, slices.Concat(ends, []row{
		{2 * sec, Destroyed{Held: true}, "LetGo, Destroy", state.Stopped},
		{3 * sec, Terminate{}, "GiveWay", state.Stopped},
		{3 * sec, Destroyed{Held: true}, "Exit", state.Stopped},
	}))
}

func TestEphemeralGuestThatFailsToStart(t *testing.T) {
	tell(t, ephemeral(), nil, []row{
		{0, Begin{}, "Launch", state.Starting},
		{0, Launched{errors.New("no")}, "Tell error, Cleanup", state.Stopping},
		{0, Cleaned{}, "Finish", state.Stopping},
		{0, Finished{}, "Unmark, LetGo, Exit", state.Stopped},
	})
}

// A monitor that is killed at the very end has a successor that goes on with it.
func TestAdoptionOfAnEphemeralGuestThatHasEnded(t *testing.T) {
	life := &Life{Phase: PhaseFinished, State: state.Stopping, Boots: 1}
	tell(t, ephemeral(), life, []row{
		{0, Adopt{}, "LetGo, Inform, Destroy", state.Stopping},
		{0, Destroyed{}, "LetGo, Exit", state.Stopped},
	})
}

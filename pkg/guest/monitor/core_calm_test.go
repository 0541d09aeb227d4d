package monitor

import (
	"testing"
	"time"

	"github.com/sysct/sysct/pkg/guest/control"
	"github.com/sysct/sysct/pkg/guest/state"
)

// TestCalm: a monitor may begin anew only when nothing would be lost by it.
func TestCalm(t *testing.T) {
	at := Now{Mono: time.Hour, Wall: time.Unix(1e9, 0)}
	running := func() *Core { return NewCore(Policy{}, &Life{Phase: PhaseUp, State: state.Running, Pid: 5}) }
	if !running().Calm() {
		t.Error("a guest that runs isn't calm")
	}
	for _, phase := range []Phase{PhaseNew, PhaseRecover, PhaseLaunch, PhaseStored, PhaseCleanup, PhaseWait, PhaseFinish, PhaseFinished} {
		if NewCore(Policy{}, &Life{Phase: phase, State: state.Running}).Calm() {
			t.Errorf("phase %s is calm", phase)
		}
	}
	for _, op := range []control.Op{control.OpFreeze, control.OpStop, control.OpWait} {
		c := running()
		c.Step(at, Asked{Client: 1, Req: &control.Request{Op: op, States: []state.State{state.Stopped}}})
		if c.Calm() {
			t.Errorf("it is calm after a request to %s", op)
		}
	}
}

package monitor

import (
	"testing"

	"github.com/sysct/sysct/pkg/guest/control"
	"github.com/sysct/sysct/pkg/guest/state"
)

// TestChangeWithoutGroups: it is done only where the next boot makes them.
func TestChangeWithoutGroups(t *testing.T) {
	for phase, fails := range map[Phase]bool{PhaseUp: true, PhaseWait: false} {
		m := &monitor{plan: &Plan{}, core: NewCore(Policy{}, &Life{Phase: phase})}
		m.views.dev = -1
		m.apply(Apply{Client: 1, Change: &Change{Config: map[string]string{"limits.pids": "5"}}})
		ev, ok := m.queue[0].(Applied)
		if !ok || (ev.Err != nil) != fails || (m.plan.Config == nil) != fails {
			t.Errorf("phase %s: %+v, the plan's %v", phase, ev, m.plan.Config)
		}
		m.take(fdPlan)
	}
}

// TestChangeWaitsForUndoing: two at once would write the same files.
func TestChangeWaitsForUndoing(t *testing.T) {
	ask := Asked{Client: 1, Req: &control.Request{Op: control.OpApply}, Change: &Change{}}
	c := tell(t, Policy{}, &Life{Phase: PhaseUp, State: state.Running, Pid: 5}, []row{
		{0, Adopt{Facts{Alive: true, Undoing: true}}, "", state.Running},
		{1, ask, "Reply 1 busy", state.Running},
	})
	if c.Calm() || c.Settled() {
		t.Error("a monitor that takes a change back may begin anew")
	}
	if got := does(c.Step(at(2), Undone{})); got != "" || !c.Calm() || !c.Settled() {
		t.Errorf("after it: does %q", got)
	}
	if got := does(c.Step(at(3), ask)); got != "Apply" {
		t.Errorf("a change after it: does %q", got)
	}
}

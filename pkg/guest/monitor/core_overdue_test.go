package monitor

import (
	"testing"
	"time"

	"github.com/sysct/sysct/pkg/guest/state"
)

// TestOverdue: the service manager is told once to go on without a guest that doesn't get
// ready; for others the guest isn't ready then, and may still get so.
func TestOverdue(t *testing.T) {
	c := NewCore(Policy{}, &Life{Phase: PhaseUp, State: state.Running, Pid: 5, ExecAt: at(0).Mono})
	if due, ok := c.Deadline(); !ok || due != at(managerPatience).Mono {
		t.Fatalf("the deadline is at %v, %v", due, ok)
	}
	for _, row := range []struct {
		at   time.Duration
		ev   Event
		does string
	}{
		{managerPatience - 1, Tick{}, ""},
		{managerPatience, Tick{}, "Inform"},
		{managerPatience + 1, Tick{}, ""},
	} {
		if got := does(c.Step(at(row.at), row.ev)); got != row.does {
			t.Errorf("%T at %v: does %q, want %q", row.ev, row.at, got, row.does)
		}
	}
	if c.Life.Ready || !c.Life.Overdue {
		t.Errorf("ready %v, overdue %v", c.Life.Ready, c.Life.Overdue)
	}
	if due, ok := c.Deadline(); ok {
		t.Errorf("another deadline: %v", due)
	}
	if got := does(c.Step(at(managerPatience+time.Second), Told{Ready: true})); got != "Inform" || !c.Life.Ready {
		t.Errorf("a late readiness: does %q", got)
	}
}

package state

import (
	"fmt"
	"strings"
)

// transitions is the table: all that is not in it is refused.
//
// A guest can end at any time, and a stop is possible in every state but
// Stopped, frozen or not: the stopper thaws it or kills it as it is. A reboot
// may be noticed while the cgroup is just freezing, but not in a frozen one.
func transitions() map[State]map[Event]State {
	return map[State]map[Event]State{
		Stopped:  {Start: Starting},
		Starting: {Started: Running, Stop: Stopping, Ended: Stopped},
		Running:  {Stop: Stopping, Freeze: Freezing, Reboot: Starting, Ended: Stopped},
		Stopping: {Stop: Stopping, Reboot: Starting, Ended: Stopped},
		Freezing: {Froze: Frozen, Thaw: Thawed, Stop: Stopping, Reboot: Starting, Ended: Stopped},
		Frozen:   {Thaw: Thawed, Stop: Stopping, Ended: Stopped},
		Thawed:   {Ran: Running, Freeze: Freezing, Stop: Stopping, Reboot: Starting, Ended: Stopped},
	}
}

// TransitionError says that an event is not possible in a state.
type TransitionError struct {
	State State // where the guest is
	Event Event // what was asked for
}

// Error says it in one line.
func (e *TransitionError) Error() string {
	return fmt.Sprintf("cannot %s: the guest is %s", e.Event, e.State)
}

// Next returns the state that follows s when e happens, or s itself and a
// *TransitionError.
func Next(s State, e Event) (State, error) {
	if next, ok := transitions()[s][e]; ok {
		return next, nil
	}
	return s, &TransitionError{State: s, Event: e}
}

// Diagram draws the table in Mermaid's notation, for the documentation.
func Diagram() string {
	var b strings.Builder
	b.WriteString("stateDiagram-v2\n    [*] --> " + string(Stopped) + "\n")
	for _, from := range States() {
		for _, event := range Events() {
			if to, err := Next(from, event); err == nil {
				fmt.Fprintf(&b, "    %s --> %s: %s\n", from, to, event)
			}
		}
	}
	return b.String()
}

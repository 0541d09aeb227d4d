package state

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// The whole matrix, a row a state; "-" is refused. It is written down again here
// so that a change of the table is a change that somebody meant.
const matrix = `
          start    started stop     ended   reboot   freeze   froze  thaw   ran
STOPPED   STARTING -       -        -       -        -        -      -      -
STARTING  -        RUNNING STOPPING STOPPED -        -        -      -      -
RUNNING   -        -       STOPPING STOPPED STARTING FREEZING -      -      -
STOPPING  -        -       STOPPING STOPPED STARTING -        -      -      -
FREEZING  -        -       STOPPING STOPPED STARTING -        FROZEN THAWED -
FROZEN    -        -       STOPPING STOPPED -        -        -      THAWED -
THAWED    -        -       STOPPING STOPPED STARTING FREEZING -      -      RUNNING
`

func TestNextIsTheMatrix(t *testing.T) {
	lines := strings.Split(strings.TrimSpace(matrix), "\n")
	events, rows := strings.Fields(lines[0]), lines[1:]
	if len(events) != len(Events()) || len(rows) != len(States()) {
		t.Fatalf("the matrix has %d events and %d states", len(events), len(rows))
	}
	for i, row := range rows {
		cells := strings.Fields(row)
		if from := States()[i]; cells[0] != string(from) {
			t.Fatalf("row %d is %s, not %s", i, cells[0], from)
		}
		for j, want := range cells[1:] {
			if events[j] != string(Events()[j]) {
				t.Fatalf("column %d is %s, not %s", j, events[j], Events()[j])
			}
			checkNext(t, States()[i], Events()[j], State(want))
		}
	}
}

func checkNext(t *testing.T, from State, event Event, want State) {
	t.Helper()
	got, err := Next(from, event)
	if want != "-" {
		if err != nil || got != want {
			t.Errorf("%s, %s: %s, %v; want %s", from, event, got, err, want)
		}
		return
	}
	var refused *TransitionError
	if !errors.As(err, &refused) || refused.State != from || refused.Event != event || got != from {
		t.Errorf("%s, %s: %s, %v; want a refusal", from, event, got, err)
	}
}

func TestWhatIsUnknownIsRefused(t *testing.T) {
	if s, err := Next("BROKEN", Start); err == nil || s != "BROKEN" {
		t.Errorf("%s, %v", s, err)
	}
	if s, err := Next(Running, "explode"); err == nil || s != Running {
		t.Errorf("%s, %v", s, err)
	}
	if State("BROKEN").Valid() || State("").Valid() || !Frozen.Valid() {
		t.Error("Valid is wrong")
	}
}

// From wherever a guest has come by any events, it can be brought to STOPPED.
func TestEveryStateCanBeStopped(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := Stopped
		for _, event := range rapid.SliceOf(rapid.SampledFrom(Events())).Draw(t, "events") {
			s, _ = Next(s, event)
		}
		if !s.Valid() {
			t.Fatalf("came to %q", s)
		}
		if s == Stopped {
			return
		}
		stopping, err := Next(s, Stop)
		if err != nil || stopping != Stopping {
			t.Fatalf("stop in %s: %s, %v", s, stopping, err)
		}
		if end, err := Next(stopping, Ended); err != nil || end != Stopped {
			t.Fatalf("ended in %s: %s, %v", stopping, end, err)
		}
	})
}

func TestRefusalIsReadable(t *testing.T) {
	_, err := Next(Stopped, Freeze)
	if got, want := err.Error(), "cannot freeze: the guest is STOPPED"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestDiagramHasEveryTransition(t *testing.T) {
	lines := strings.Split(Diagram(), "\n")
	if lines[0] != "stateDiagram-v2" || lines[1] != "    [*] --> STOPPED" || lines[2] != "    STOPPED --> STARTING: start" {
		t.Errorf("got %q", lines[:3])
	}
	count := 0
	for _, row := range transitions() {
		count += len(row)
	}
	if got := strings.Count(Diagram(), " --> "); got != count+1 {
		t.Errorf("%d arrows for %d transitions", got, count)
	}
}

package monitor

import (
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/guest/control"
	"github.com/sysct/sysct/pkg/guest/state"
)

// lived is a life as a monitor leaves it that was killed after a story.
func lived(t *testing.T, p Policy, story []row) *Life {
	t.Helper()
	life := tell(t, p, nil, story).Life
	return &life
}

func adopted(f Facts) Adopt { return Adopt{f} }

var up = Facts{Alive: true, Booted: true}

// TestAdopt: a monitor is killed after each of these stories, and the next one
// goes on.
func TestAdopt(t *testing.T) {
	frozen := []row{
		{0, ask(1, control.OpFreeze, -1), "Freeze 10s", state.Freezing},
		{0, FreezeDone{}, "Reply 1 ok", state.Frozen},
	}
	stopping := []row{
		{0, ask(1, control.OpStop, 5*sec), "Halt", state.Stopping},
	}
	for name, c := range map[string]struct {
		before []row
		after  []row
	}{
		"it runs": {boot(), []row{
			{9 * sec, adopted(up), "", state.Running},
			{9 * sec, ask(1, control.OpStatus, -1), "Reply 1 ok", state.Running},
		}},
		"during the launch": {boot()[:1], []row{
			{9 * sec, Adopt{}, "Cleanup", state.Starting},
			{9 * sec, Cleaned{}, "Launch", state.Starting},
			{9 * sec, Stored{Pid: 78}, "Proceed", state.Starting},
			{9 * sec, Launched{}, "Tell", state.Running},
		}},
		"before init was executed": {boot()[:2], []row{
			{9 * sec, adopted(Facts{Alive: true}), "Cleanup", state.Starting},
			{9 * sec, Cleaned{}, "Launch", state.Starting},
		}},
		"and it ended for that": {boot()[:2], []row{
			{9 * sec, adopted(Facts{}), "Cleanup", state.Starting},
			{9 * sec, Cleaned{}, "Launch", state.Starting},
		}},
		"just after init was executed": {boot()[:2], []row{
			{9 * sec, adopted(up), "Tell", state.Running},
		}},
		"init ended meanwhile": {boot(), []row{
			{9 * sec, adopted(Facts{}), "", state.Running},
			{9 * sec, signalled(unix.SIGINT), "Cleanup", state.Stopping},
		}},
		"init rebooted meanwhile": {boot(), []row{
			{9 * sec, adopted(Facts{}), "", state.Running},
			{9 * sec, signalled(unix.SIGHUP), "Cleanup", state.Starting},
		}},
		"frozen": {slices.Concat(boot(), frozen), []row{
			{9 * sec, adopted(Facts{Alive: true, Booted: true, Frozen: true}), "", state.Frozen},
			{9 * sec, ask(1, control.OpStop, -1), "Thaw", state.Stopping},
		}},
		"frozen by someone else": {boot(), []row{
			{9 * sec, adopted(Facts{Alive: true, Booted: true, Frozen: true}), "", state.Frozen},
		}},
		"thawed by someone else": {slices.Concat(boot(), frozen), []row{
			{9 * sec, adopted(up), "Thaw", state.Thawed},
			{9 * sec, ThawDone{}, "", state.Running},
		}},
		"while freezing": {slices.Concat(boot(), frozen[:1]), []row{
			{9 * sec, adopted(up), "Thaw", state.Thawed},
			{9 * sec, ThawDone{}, "", state.Running},
		}},
		"while freezing, and it froze": {slices.Concat(boot(), frozen[:1]), []row{
			{9 * sec, adopted(Facts{Alive: true, Booted: true, Frozen: true}), "", state.Frozen},
		}},
		"a stop that hasn't asked": {slices.Concat(boot(), stopping), []row{
			{2 * sec, adopted(up), "Halt", state.Stopping},
			{2 * sec, Halted{How: "SIGUSR2"}, "", state.Stopping},
			{5 * sec, Tick{}, "KillAll", state.Stopping},
		}},
		"a stop that has asked": {slices.Concat(boot(), stopping, []row{
			{0, Halted{How: "SIGUSR2"}, "", state.Stopping},
		}), []row{
			{2 * sec, adopted(up), "", state.Stopping},
			{2 * sec, ask(7, control.OpStop, -1), "", state.Stopping},
			{5 * sec, Tick{}, "KillAll", state.Stopping},
			{5 * sec, signalled(unix.SIGKILL), "Cleanup", state.Stopping},
			{5 * sec, Cleaned{}, "Finish", state.Stopping},
			{5 * sec, Finished{}, "LetGo, Reply 7 ok (killed: it did not stop in 5s), Exit", state.Stopped},
		}},
		"a stop whose time has passed": {slices.Concat(boot(), stopping), []row{
			{9 * sec, adopted(up), "KillAll", state.Stopping},
		}},
		"a stop of a frozen guest": {slices.Concat(boot(), frozen, []row{
			{0, ask(1, control.OpStop, 5*sec), "Thaw", state.Stopping},
		}), []row{
			{2 * sec, adopted(Facts{Alive: true, Booted: true, Frozen: true}), "Thaw", state.Stopping},
		}},
		"a kill": {slices.Concat(boot(), []row{
			{0, killWith(1, unix.SIGKILL), "KillAll, Reply 1 ok", state.Stopping},
		}), []row{
			{9 * sec, adopted(up), "KillAll", state.Stopping},
		}},
		"the end of a boot": {slices.Concat(boot(), []row{
			{0, signalled(unix.SIGINT), "Cleanup", state.Stopping},
		}), []row{
			{9 * sec, Adopt{}, "Cleanup", state.Stopping},
			{9 * sec, Cleaned{}, "Finish", state.Stopping},
		}},
		"the end of the last": {slices.Concat(boot(), []row{
			{0, signalled(unix.SIGINT), "Cleanup", state.Stopping},
			{0, Cleaned{}, "Finish", state.Stopping},
		}), []row{
			{9 * sec, Adopt{}, "Finish", state.Stopping},
			{9 * sec, Finished{}, "LetGo, Exit", state.Stopped},
		}},
		"all but the goodbye": {slices.Concat(boot(), []row{
			{0, signalled(unix.SIGINT), "Cleanup", state.Stopping},
		}, end(0, "Exit")), []row{
			{9 * sec, Adopt{}, "LetGo, Exit", state.Stopped},
		}},
		"a kill before init was executed": {slices.Concat(boot()[:2], []row{
			{0, killWith(1, unix.SIGKILL), "Reply 1 ok", state.Stopping},
		}), []row{
			{9 * sec, adopted(Facts{Alive: true}), "Cleanup", state.Stopping},
			{9 * sec, Cleaned{}, "Finish", state.Stopping},
		}},
		"and it was": {slices.Concat(boot()[:2], []row{
			{0, killWith(1, unix.SIGKILL), "Reply 1 ok", state.Stopping},
		}), []row{
			{9 * sec, adopted(up), "Tell, KillAll, KillAll", state.Stopping},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			tell(t, policy, lived(t, policy, c.before), c.after)
		})
	}
}

func TestAdoptedBackoffGoesOn(t *testing.T) {
	p := Policy{OnFailure: true}
	life := lived(t, p, slices.Concat(boot(), []row{
		{0, exited(1), "Cleanup", state.Starting},
		{0, Cleaned{}, "", state.Starting},
	}))
	tell(t, p, life, []row{
		{500 * ms, Adopt{}, "", state.Starting},
		{999 * ms, Tick{}, "", state.Starting},
		{sec, Tick{}, "Launch", state.Starting},
	})
}

func TestAdoptKeepsWhatIsKnown(t *testing.T) {
	life := lived(t, policy, slices.Concat(boot(), []row{
		{sec, Told{Ready: true, Status: "up"}, "Inform", state.Running},
	}))
	c := tell(t, policy, life, []row{{9 * sec, adopted(up), "", state.Running}})
	if r := c.Run(); !r.Ready || r.Boots != 1 || r.Pid != 77 || !r.StartedAt.Equal(at(0).Wall) {
		t.Errorf("run is %+v", r)
	}
	tell(t, policy, life, []row{
		{9 * sec, adopted(up), "", state.Running},
		{9 * sec, waitFor(1, -1, true), "Reply 1 ok", state.Running},
	})
}

func TestSlots(t *testing.T) {
	s, err := newSlots()
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(s.fd)
	if _, life, err := openSlots(s.fd); life != nil || err != nil {
		t.Errorf("nothing was written: %+v, %v", life, err)
	}
	for n := range 5 {
		if err := s.save(&Life{Phase: PhaseUp, Boots: n}); err != nil {
			t.Fatal(err)
		}
	}
	seq := s.seq
	if err := s.save(&Life{Phase: PhaseUp, Boots: 4}); err != nil || s.seq != seq {
		t.Errorf("what was there already was written again: %d, %v", s.seq, err)
	}
	next, life, err := openSlots(s.fd)
	if err != nil || life.Boots != 4 || next.seq != seq {
		t.Fatalf("got %+v, sequence %d, %v", life, next.seq, err)
	}
	if err := next.save(&Life{Boots: 5}); err != nil {
		t.Fatal(err)
	}
	if _, life, err = openSlots(s.fd); err != nil || life.Boots != 5 {
		t.Errorf("got %+v, %v", life, err)
	}
}

// TestTornSlot: a write that was killed at any byte leaves the state before it
// or the state after it.
func TestTornSlot(t *testing.T) {
	s, err := newSlots()
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(s.fd)
	for n := range 3 {
		if err := s.save(&Life{Phase: PhaseUp, Boots: n}); err != nil {
			t.Fatal(err)
		}
	}
	old := slot(t, s, 0)
	if err := s.save(&Life{Phase: PhaseCleanup, Boots: 3}); err != nil {
		t.Fatal(err)
	}
	fresh := slot(t, s, 0)
	for cut := range slotHeader + 200 {
		torn := append(slices.Clone(fresh[:cut]), old[cut:]...)
		if _, err := unix.Pwrite(s.fd, torn, 0); err != nil {
			t.Fatal(err)
		}
		_, life, err := openSlots(s.fd)
		if err != nil || life == nil || life.Boots != 2 && life.Boots != 3 {
			t.Fatalf("cut at %d: got %+v, %v", cut, life, err)
		}
	}
}

func slot(t *testing.T, s *slots, i int) []byte {
	t.Helper()
	buf := make([]byte, slotSize)
	if _, err := unix.Pread(s.fd, buf, int64(i)*slotSize); err != nil {
		t.Fatal(err)
	}
	return buf
}

func TestDeadline(t *testing.T) {
	c := tell(t, policy, nil, append(boot(), row{0, Told{Ready: true}, "Inform", state.Running}))
	if at, ok := c.Deadline(); ok {
		t.Errorf("an idle guest has a timer: %v", at)
	}
	c.Step(at(0), ask(1, control.OpStop, 7*time.Second))
	if d, ok := c.Deadline(); !ok || d != at(7*sec).Mono {
		t.Errorf("the deadline of a stop is %v, %v", d-at(0).Mono, ok)
	}
}

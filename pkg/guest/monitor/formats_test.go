package monitor

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/guest/console"
	"github.com/sysct/sysct/pkg/guest/state"
)

// The files in testdata/formats are what a monitor of the first program kept. They are
// never written anew: guests of then are taken over by programs of now.

// kept is a memfd with one of them, or with what make does of it.
func kept(t *testing.T, name string, seals int, change func([]byte) []byte) int {
	t.Helper()
	data, err := os.ReadFile("testdata/formats/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		data = change(data)
	}
	fd, err := unix.MemfdCreate("test", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err == nil {
		_, err = unix.Write(fd, data)
	}
	if err == nil && seals != 0 {
		_, err = unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

func TestPlanOfThen(t *testing.T) {
	for name, change := range map[string]func([]byte) []byte{
		"then": nil,
		"later": func(data []byte) []byte { // with what only a later program knows
			return append([]byte(`{"tomorrow":{"x":[1]},`), data[1:]...)
		},
	} {
		p, err := readPlan(kept(t, "plan.json", 0, change))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if p.Name != "web" || p.Context.IDs.Base != 1000000 || p.Context.TTYs != 4 || *p.Limits.Memory != 1<<28 ||
			p.StopTimeout != time.Minute || p.ReadyCmd[0] != "true" || !p.Recover || p.groupName() != "web" {
			t.Errorf("%s: the plan is %+v", name, p)
		}
	}
	if _, err := readPlan(kept(t, "plan.json", 0, func(data []byte) []byte {
		return bytes.Replace(data, []byte(`"version":1`), []byte(`"version":9`), 1)
	})); err == nil || !strings.Contains(err.Error(), "version 9 instead of 1") {
		t.Errorf("a plan of version 9: %v", err)
	}
}

// TestLifeOfThen: the newest of its two slots, and a page for calls, which it has none.
func TestLifeOfThen(t *testing.T) {
	s, l, err := openSlots(kept(t, "life.bin", 0, nil))
	if err != nil {
		t.Fatal(err)
	}
	if l.Phase != PhaseUp || l.State != state.Stopping || l.Pid != 4711 || l.Boots != 4 || !l.Ready || l.Exit.Reason != state.ReasonReboot ||
		*l.ExitStatus != 7 || !l.Stop.Keep || l.Stop.KillAt != time.Minute || len(l.Failures) != 1 || l.Heard || l.Called != "" {
		t.Errorf("the life is %+v", l)
	}
	calls, err := s.calls()
	if err != nil {
		t.Fatal(err)
	}
	if len(bytes.Trim(calls, "\x00")) > 0 {
		t.Errorf("the calls are %x", calls)
	}
	l.Boots = 5
	if err := s.save(l); err != nil {
		t.Fatal(err)
	}
	if _, again, err := openSlots(s.fd); err != nil || again.Boots != 5 {
		t.Errorf("the life is %+v, %v", again, err)
	}
}

// TestRingOfThen: its past is there, and nothing is logged a second time.
func TestRingOfThen(t *testing.T) {
	const seals = unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_SEAL
	fd := kept(t, "ring.bin", seals, nil)
	if err := console.CheckRing(fd); err != nil {
		t.Fatal(err)
	}
	dup, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	r, err := console.OpenRing(dup)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	past := r.Snapshot()
	if r.End() != 700*13 || len(past) != 8192 || !bytes.HasSuffix(past, []byte("9t\r\nxX.,-_; \n")) {
		t.Errorf("the ring has %d of %d bytes, the end %q", len(past), r.End(), past[len(past)-20:])
	}
}

func TestCheckRefuses(t *testing.T) {
	fd := kept(t, "ring.bin", unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_SEAL, func(data []byte) []byte {
		data[8] = 9 // the version
		return data
	})
	if err := console.CheckRing(fd); err == nil || !strings.Contains(err.Error(), "version is 9") {
		t.Errorf("a ring of version 9: %v", err)
	}
}

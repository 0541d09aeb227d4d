package limitstest

import (
	"os"
	"testing"

	"github.com/sysct/sysct/pkg/limits"
)

// testWatching looks at a guest again and again, while its groups go and come back, and
// leaves no file open.
func testWatching(t *testing.T, h Host) {
	before := openFiles(t)
	w := h.Backend.Watch(Base())
	see := func(names ...string) map[string]limits.Sight {
		t.Helper()
		sights, err := w.Sights(names, limits.WantAll)
		if err != nil {
			t.Fatal(err)
		}
		return sights
	}
	if sights := see("one"); len(sights) != 0 {
		t.Errorf("before there is a guest: %+v", sights)
	}
	for life := range 2 {
		g := h.guestOf(t, "one", limits.Limits{})
		if s := see("one", "none", "../one")["one"]; s.Populated || s.Stats != nil {
			t.Errorf("life %d, empty: %+v", life, s)
		}
		c := start(t, g, "exec sleep 600")
		c.running(t, "sleep")
		first, second := see("one")["one"], see("one")["one"]
		if first.Stats == nil || second.Stats == nil || second.Stats.CPU.Usage < first.Stats.CPU.Usage {
			t.Errorf("life %d: %+v, %+v", life, first, second)
		}
		if (second.Stats.Memory != nil) != h.has("memory") || (second.Stats.Pids != nil) != h.has("pids") {
			t.Errorf("life %d: %+v", life, *second.Stats)
		}
		kept := openFiles(t)
		if see("one"); openFiles(t) != kept {
			t.Errorf("life %d: another look opened files", life)
		}
		if err := g.Kill(); err != nil {
			t.Fatal(err)
		}
		c.wait(t)
		eventually(t, "nobody is left", func() bool { return !see("one")["one"].Populated })
		if err := g.Remove(); err != nil {
			t.Fatal(err)
		}
		if err := g.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if sights := see("one"); len(sights) != 0 {
		t.Errorf("after its end: %+v", sights)
	}
	w.Close()
	if after := openFiles(t); after != before {
		t.Errorf("%d files are open, before it were %d", after, before)
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(files)
}

package cgroupfs

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/sysct/sysct/pkg/limits"
)

// TestNewController: who goes on looking at a guest sees the figures of a controller that its
// group gets meanwhile.
func TestNewController(t *testing.T) {
	root := t.TempDir()
	group := filepath.Join(root, "base/web/guest")
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(group, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(group, 0o700); err != nil {
		t.Fatal(err)
	}
	write("cgroup.events", "populated 1\nfrozen 0\n")
	write("cgroup.controllers", "cpu\n")
	w := (&Backend{tree: Tree{V2: root}}).Watch("base")
	defer w.Close()
	pids := func() *limits.Pids {
		t.Helper()
		found, err := w.Sights([]string{"web"}, limits.WantPids)
		if err != nil || found["web"].Stats == nil {
			t.Fatalf("%+v, %v", found, err)
		}
		return found["web"].Stats.Pids
	}
	for range 2 {
		if p := pids(); p != nil {
			t.Errorf("figures without a controller: %+v", p)
		}
	}
	write("cgroup.controllers", "cpu pids\n")
	write("pids.current", "7\n")
	write("pids.max", "max\n")
	write("pids.peak", "9\n")
	write("pids.events", "max 3\n")
	if p := pids(); p == nil || p.Current != 7 {
		t.Errorf("figures with it: %+v", p)
	}
}

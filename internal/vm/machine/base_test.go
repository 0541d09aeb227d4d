package machine

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// TestKey: what differs in anything is another Base.
func TestKey(t *testing.T) {
	first := recipe{Format: 1, Release: "trixie", Packages: []string{"a"}, Setup: "s", Agent: "1", QEMU: "7", Machine: []string{"-m"}}
	keys := []string{first.key()}
	for _, change := range []func(*recipe){
		func(r *recipe) { r.Format = 2 },
		func(r *recipe) { r.Release = "forky" },
		func(r *recipe) { r.Packages = []string{"a", "b"} },
		func(r *recipe) { r.Setup = "t" },
		func(r *recipe) { r.Agent = "2" },
		func(r *recipe) { r.QEMU = "8" },
		func(r *recipe) { r.Machine = nil },
	} {
		other := first
		change(&other)
		keys = append(keys, other.key())
	}
	if again := first.key(); again != keys[0] {
		t.Errorf("the same recipe has the keys %s and %s", keys[0], again)
	}
	n := len(keys)
	slices.Sort(keys)
	if len(slices.Compact(keys)) != n {
		t.Errorf("keys are not all different: %q", keys)
	}
}

// TestRemoveOld: what is in use, or was lately, stays, and so does what belongs to another release.
func TestRemoveOld(t *testing.T) {
	top := t.TempDir()
	long := time.Now().Add(-2 * unused)
	for name, old := range map[string]bool{
		"trixie-own": true, "trixie-lately": false, "trixie-old": true, "bookworm-old": true, ".new-trixie-x": false, ".new-forky-x": false, "images-1": true,
	} {
		if err := os.Mkdir(filepath.Join(top, name), 0o755); err != nil {
			t.Fatal(err)
		}
		if old {
			if err := os.Chtimes(filepath.Join(top, name), long, long); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := RemoveOld(top, "trixie", "trixie-own"); err != nil {
		t.Fatal(err)
	}
	var left []string
	entries, err := os.ReadDir(top)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		left = append(left, e.Name())
	}
	if want := []string{".new-forky-x", "bookworm-old", "images-1", "trixie-lately", "trixie-own"}; !slices.Equal(left, want) {
		t.Errorf("left %q, want %q", left, want)
	}
}

func TestUnknownRelease(t *testing.T) {
	if _, err := newRecipe("potato", "/dev/null"); err == nil {
		t.Error("a machine of potato can be made")
	}
}

package cgroupfs

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sysct/sysct/pkg/limits"
)

// tree has files as a base of groups has them; hybrid hosts have none with memory.min.
func tree(t *testing.T, files map[string]string) *dir {
	t.Helper()
	top := t.TempDir()
	for name, text := range files {
		path := filepath.Join(top, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	d, err := openMount(top)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.close)
	return d
}

// TestSumUp: what another guest's group says is no error of this one.
func TestSumUp(t *testing.T) {
	d := tree(t, map[string]string{"memory.min": "000\n", "one/memory.min": "300\n", "two/memory.min": "max\n", "three/memory.min": "45\n", "four/other": ""})
	b := &Backend{tree: Tree{V2: d.path}}
	if err := b.sumUp(d); err != nil {
		t.Fatal(err)
	}
	if got, err := d.read("memory.min"); err != nil || got != "345\n" {
		t.Errorf("the base keeps %q, %v", got, err)
	}
}

// TestReplaceIsUndone: the knobs are as before if what comes after them fails.
func TestReplaceIsUndone(t *testing.T) {
	d := tree(t, map[string]string{"a": "1", "b": "2"})
	knobs := inGroup(d, []limits.Knob{{File: "a", Value: "3"}, {File: "b", Value: "4"}})
	broken := errors.New("broken")
	err := replace(knobs, func() error {
		a, _ := d.read("a")
		b, _ := d.read("b")
		if a+b != "34" {
			t.Errorf("at the end they were %s%s", a, b)
		}
		return broken
	})
	a, _ := d.read("a")
	b, _ := d.read("b")
	if !errors.Is(err, broken) || strings.TrimSpace(a+b) != "12" {
		t.Errorf("%v, and they are %s%s", err, a, b)
	}
}

package limitstest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/limits"
)

func testLifecycle(t *testing.T, h Host) {
	if _, err := h.Backend.Open(Base(), "one"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("before it's made: %v", err)
	}
	g := h.guestOf(t, "one", limits.Limits{})
	if names, err := h.Backend.List(Base()); err != nil || !slices.Equal(names, []string{"one"}) {
		t.Errorf("list: %v, %v", names, err)
	}
	again, err := h.Backend.Open(Base(), "one")
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if len(again.JoinFDs()) != len(h.V1) || !sameFile(t, g.PayloadFD(), again.PayloadFD()) || !sameFile(t, g.GuestFD(), again.GuestFD()) {
		t.Error("what was opened is not what was made")
	}
	if populated, frozen, err := again.Events(); populated || frozen || err != nil {
		t.Errorf("events of an empty guest: %v %v %v", populated, frozen, err)
	}
	if s, err := again.Stats(); err != nil || (s.Memory != nil) != h.has("memory") || (s.Pids != nil) != h.has("pids") {
		t.Errorf("figures: %+v, %v", s, err)
	}
	sights, err := h.Backend.Sights(Base(), []string{"one", "none", "../one"}, limits.WantAll)
	if s, ok := sights["one"]; err != nil || !ok || len(sights) != 1 || s.Populated || s.Stats != nil {
		t.Errorf("sights of an empty guest: %+v, %v", sights, err)
	}
	for range 2 { // the second time nothing is there
		if err := again.Remove(); err != nil {
			t.Error(err)
		}
	}
	if populated, frozen, err := g.Events(); populated || frozen || err != nil {
		t.Errorf("events after the removal: %v %v %v", populated, frozen, err)
	}
	if sights, err := h.Backend.Sights(Base(), []string{"one"}, limits.WantAll); err != nil || len(sights) != 0 {
		t.Errorf("sights after the removal: %+v, %v", sights, err)
	}
	h.nothingLeft(t)
	if names, err := h.Backend.List(Base()); err != nil || len(names) != 0 {
		t.Errorf("list: %v, %v", names, err)
	}
}

func sameFile(t *testing.T, a, b int) bool {
	t.Helper()
	var x, y unix.Stat_t
	if err := errors.Join(unix.Fstat(a, &x), unix.Fstat(b, &y)); err != nil {
		t.Fatal(err)
	}
	return x.Dev == y.Dev && x.Ino == y.Ino
}

func testEarlierLife(t *testing.T, h Host) {
	first := h.guestOf(t, "one", limits.Limits{})
	for _, mount := range h.V1 { // root may have made groups there as well
		if err := os.Mkdir(mount+"/"+Base()+"/one/inner", 0o755); err != nil {
			t.Error(err)
		}
	}
	if err := os.MkdirAll(h.guest("one")+"/payload/a/b", 0o755); err != nil {
		t.Error(err)
	}
	second := h.guestOf(t, "one", limits.Limits{})
	if sameFile(t, first.PayloadFD(), second.PayloadFD()) {
		t.Error("the groups of the earlier life are still there")
	}
	c := start(t, second, "exec sleep 600")
	_, err := h.Backend.Make(Base(), "one", limits.Limits{}, owner, nil)
	if !errors.Is(err, fs.ErrExist) || !mentions(err, fmt.Sprintf("process %d", c.Process.Pid)) {
		t.Errorf("made over a running guest: %v", err)
	}
	if populated, _, err := second.Events(); !populated || err != nil {
		t.Errorf("the running guest was disturbed: %v", err)
	}
}

// testSideBySide makes and removes guests under one base at once: each removal
// may take the base from under the others.
func testSideBySide(t *testing.T, h Host) {
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for range 15 {
				g, err := h.Backend.Make(Base(), fmt.Sprintf("guest%d", i), limits.Limits{}, owner, nil)
				if err != nil {
					t.Error(err)
					return
				}
				if err := errors.Join(g.Remove(), g.Close()); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
}

// testNames makes sure that no name leads out of the base, nor to a kernel's file.
func testNames(t *testing.T, h Host) {
	for _, name := range []string{"", ".", "..", "a/b", "/", "a\nb", "cgroup.procs"} {
		if _, err := h.Backend.Make(Base(), name, limits.Limits{}, owner, nil); err == nil {
			t.Errorf("%q was made", name)
		}
		h.nothingLeft(t)
	}
	for _, name := range []string{"", ".", "..", "a/b", "/"} {
		if err := h.Backend.Remove(Base(), name); err == nil {
			t.Errorf("%q was removed", name)
		}
		if _, err := h.Backend.Open(Base(), name); err == nil {
			t.Errorf("%q was opened", name)
		}
	}
}

package calls

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sysct/sysct/pkg/context/seccomp"
)

// TestRebootInVain: who calls reboot(2) on and on without being allowed to holds up nobody: at
// a rate of some in a second this would take hours.
func TestRebootInVain(t *testing.T) {
	s := newSite(t, nil)
	var all sync.WaitGroup
	for _, what := range []string{"reboot 20000", "reboot 20000", "loop 2000"} {
		_, wait := s.run(what)
		all.Go(func() {
			if err := wait(); err != nil {
				t.Errorf("%s: %v", what, err)
			}
		})
	}
	all.Wait()
}

// TestTakenBound: so many calls wait for the owner, and no more; the others are the kernel's.
func TestTakenBound(t *testing.T) {
	s := newSite(t, nil)
	var taken atomic.Int32
	ids := make(chan uint64, 100)
	s.other = func(n *seccomp.Notification) bool {
		taken.Add(1)
		ids <- n.ID
		return true
	}
	var held []func() error
	for i := range int32(maxTaken) {
		_, wait := s.run("reboot 1")
		held = append(held, wait)
		s.until("one more that is taken", func() bool { return taken.Load() == i+1 })
	}
	for _, what := range []string{"reboot 3", "loop 100"} {
		_, wait := s.run(what)
		if err := wait(); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	if n := taken.Load(); n != maxTaken {
		t.Errorf("%d calls were taken", n)
	}
	for _, wait := range held {
		if err := s.server.Continue(<-ids); err != nil {
			t.Error(err)
		}
		defer func() {
			if err := wait(); err != nil {
				t.Error(err)
			}
		}()
	}
}

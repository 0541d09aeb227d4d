package calls

import (
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

// TestRest: of a guest that calls on and on the owner is asked each budgetStep calls whether to
// rest; who is told to answers none before that is over.
func TestRest(t *testing.T) {
	s := newSite(t, nil)
	var asked, began, rested atomic.Int64
	s.server.o.Failpoint = func(name string) error {
		if at := began.Load(); name == "answer call" && at > 0 {
			rested.CompareAndSwap(0, time.Now().UnixNano()-at)
		}
		return nil
	}
	s.server.o.Rest = func() time.Duration {
		if asked.Add(1) > 1 {
			return 0
		}
		began.Store(time.Now().UnixNano())
		return CheckAfter
	}
	_, wait := s.run("loop 1000")
	if err := wait(); err != nil {
		t.Error(err)
	}
	if n := asked.Load(); n < 1000/budgetStep || n > 1000/budgetStep+2 {
		t.Errorf("of 1000 calls it was asked %d times whether to rest", n)
	}
	if got := time.Duration(rested.Load()); got < CheckAfter {
		t.Errorf("the next call was answered after %v", got)
	}
}

// TestNothingIsAllocated for a call: a guest that calls on and on would have the heap grow.
func TestNothingIsAllocated(t *testing.T) {
	const calls = 5000
	s := newSite(t, nil)
	_, wait := s.run("loop 100")
	if err := wait(); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, wait = s.run("loop 5000")
	if err := wait(); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if n := after.Mallocs - before.Mallocs; n > calls/4 {
		t.Errorf("%d calls are answered with %d allocations", calls, n)
	}
}

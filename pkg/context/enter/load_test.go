package enter

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"sync"
	"testing"
)

// TestTenThousandEntriesUnderLoad is what a Go release has to pass: a child of
// the raw fork that needed the scheduler, the heap or a longer stack would hang
// or crash in some of these.
func TestTenThousandEntriesUnderLoad(t *testing.T) {
	const workers, each = 4, 2500
	g := newGuest(t)
	n := null(t)
	before := descriptors(t)
	stop := startLoad(t)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := range each {
				c, err := Start(&g.target, &Process{Args: []string{"/bin/true"}, Files: [3]int{n, n, n}})
				if err != nil {
					t.Error(err)
					return
				}
				if status, err := c.Wait(); status != 0 || err != nil {
					t.Errorf("entry %d: status %#x, %v", i, int(status), err)
				}
			}
		})
	}
	wg.Wait()
	stop()
	if after := descriptors(t); !slices.Equal(before, after) {
		t.Errorf("descriptors before:\n%v\nafter:\n%v", before, after)
	}
	if left := children(t); len(left) != 1 {
		t.Errorf("children left: %v", left)
	}
	checkThreads(t)
}

// startLoad keeps the collector, the scheduler and the ordinary fork busy.
func startLoad(t *testing.T) (stop func()) {
	done := make(chan struct{})
	var wg sync.WaitGroup
	repeat := func(f func()) {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					f()
				}
			}
		})
	}
	// The first pair leaves the starting state of everything as it was.
	must(t, exec.Command("/bin/true").Run())
	for range 4 {
		var kept [][]byte
		repeat(func() {
			kept = append(kept, make([]byte, 1<<12))
			if len(kept) > 1000 {
				kept = nil
			}
			runtime.Gosched()
		})
	}
	repeat(func() { deep(200); runtime.GC() })
	repeat(func() {
		if err := exec.Command("/bin/true").Run(); err != nil {
			t.Error(err)
		}
	})
	return func() { close(done); wg.Wait() }
}

// deep makes the stack grow, so that the collector shrinks and moves it.
func deep(n int) (sum byte) {
	var frame [512]byte
	if n > 0 {
		frame[n%512] = deep(n - 1)
	}
	return frame[n%512] + byte(n)
}

// checkThreads fails if a thread would still fork into a guest.
func checkThreads(t *testing.T) {
	t.Helper()
	own, err := os.Readlink("/proc/self/ns/pid")
	must(t, err)
	tasks, err := os.ReadDir("/proc/self/task")
	must(t, err)
	for _, task := range tasks {
		link, err := os.Readlink(fmt.Sprintf("/proc/self/task/%s/ns/pid_for_children", task.Name()))
		if err == nil && link != own {
			t.Errorf("thread %s has %s for its children", task.Name(), link)
		}
	}
}

package limitstest

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/limits"
)

// bomb forks for ever, as fast as it can.
const bomb = "bomb() { bomb & bomb & wait; }; bomb"

func testKill(t *testing.T, h Host) {
	l := limits.Limits{}
	script := "for i in 1 2 3 4 5 6 7 8 9; do sleep 600 & done; wait"
	if h.has("pids") { // a bomb only where it is kept small
		l.Pids, script = ptr(60), "exec >/dev/null 2>&1; "+bomb
	}
	g := h.guestOf(t, "one", l)
	c := start(t, g, script)
	eventually(t, "it forked", func() bool {
		pids, err := g.Pids()
		return err == nil && len(pids) > 5
	})
	if err := g.Kill(); err != nil {
		t.Fatal(err)
	}
	c.wait(t)
	eventually(t, "all have ended", func() bool {
		populated, _, err := g.Events()
		return err == nil && !populated
	})
}

// testListing has processes in nested and in threaded groups, where the kernel
// doesn't list them.
func testListing(t *testing.T, h Host) {
	g := h.guestOf(t, "one", limits.Limits{})
	payload := h.guest("one") + "/payload"
	nested := start(t, g, fmt.Sprintf("mkdir -p %s/a/b && echo $$ > %s/a/b/cgroup.procs && exec sleep 600", payload, payload))
	nested.running(t, "sleep")
	threaded := start(t, g, fmt.Sprintf("mkdir -p %s/c/d && echo $$ > %s/c/cgroup.procs && echo threaded > %s/c/d/cgroup.type && echo $$ > %s/c/d/cgroup.threads && exec sleep 600",
		payload, payload, payload, payload))
	threaded.running(t, "sleep")
	plain := start(t, g, "exec sleep 600")
	plain.running(t, "sleep")
	pids, err := g.Pids()
	want := []int{nested.Process.Pid, threaded.Process.Pid, plain.Process.Pid}
	slices.Sort(pids)
	slices.Sort(want)
	if err != nil || !slices.Equal(pids, want) {
		t.Errorf("got %v, %v, want %v (%s)", pids, err, want, threaded.output.String())
	}
}

// testListingUnrest lists while the guest makes and removes groups under the walk.
func testListingUnrest(t *testing.T, h Host) {
	g := h.guestOf(t, "one", limits.Limits{})
	dirs := "a a/b a/b/c a/b/c/d"
	restless := start(t, g, "cd "+h.guest("one")+"/payload; while :; do mkdir "+dirs+"; rmdir -p a/b/c/d; done 2>/dev/null")
	eventually(t, "groups come and go", func() bool {
		_, err := os.Stat(h.guest("one") + "/payload/a/b/c")
		return err == nil
	})
	for range 500 {
		pids, err := g.Pids()
		if err != nil || !slices.Contains(pids, restless.Process.Pid) {
			t.Fatalf("got %v, %v, want %d among them", pids, err, restless.Process.Pid)
		}
	}
}

// testTenThousand is a guest that made 10,000 groups, most side by side, but more in
// one another than a process may have fds by default or a path has bytes.
func testTenThousand(t *testing.T, h Host) {
	g := h.guestOf(t, "one", limits.Limits{})
	fd, err := unix.Openat(g.PayloadFD(), ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	for i := 0; i < 8800 && err == nil; i++ {
		err = unix.Mkdirat(fd, "wide"+fmt.Sprint(i), 0o755)
	}
	for i := 0; i < 1200 && err == nil; i++ {
		if err = unix.Mkdirat(fd, "deep", 0o755); err != nil {
			break
		}
		var next int
		next, err = unix.Openat(fd, "deep", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		unix.Close(fd)
		fd = next
	}
	unix.Close(fd)
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	if pids, err := g.Pids(); err != nil || len(pids) != 0 {
		t.Errorf("listing: %v, %v", pids, err)
	}
	listed := time.Since(start)
	if err := g.Remove(); err != nil {
		t.Error(err)
	}
	t.Logf("listed in %v, removed in %v", listed, time.Since(start)-listed)
}

// testRemovalWhileBusy removes a guest whose last process ends meanwhile.
func testRemovalWhileBusy(t *testing.T, h Host) {
	g := h.guestOf(t, "one", limits.Limits{})
	c := start(t, g, "exec sleep 600")
	c.running(t, "sleep")
	removed := make(chan error)
	go func() { removed <- g.Remove() }()
	eventually(t, "the removal waits", func() bool { return waits(c.Process.Pid) })
	if err := c.Process.Kill(); err != nil {
		t.Error(err)
	}
	if err := <-removed; err != nil {
		t.Error(err)
	}
}

// waits says that the process is where it was put, and still runs.
func waits(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	return err == nil && strings.Contains(string(text), Base()+"/one/guest/payload")
}

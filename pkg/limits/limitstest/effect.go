package limitstest

import (
	"errors"
	"strings"
	"syscall"
	"testing"

	"github.com/sysct/sysct/pkg/limits"
)

// refused says that a limit is refused whose controller the backend doesn't have.
func refused(t *testing.T, h Host, controller string, l limits.Limits) bool {
	t.Helper()
	if h.has(controller) {
		return false
	}
	_, err := h.Backend.Make(Base(), "one", l, owner, nil)
	var field *limits.FieldError
	if !errors.As(err, &field) || !mentions(err, "no "+controller+" controller") {
		t.Errorf("a limit without a controller: %v", err)
	}
	h.nothingLeft(t)
	return true
}

func testMemory(t *testing.T, h Host) {
	l := limits.Limits{Memory: ptr(64 << 20)}
	if refused(t, h, "memory", l) {
		return
	}
	g := h.guestOf(t, "one", l)
	c := startRole(t, g, "hog:134217728", 0)
	status := c.wait(t).Sys().(syscall.WaitStatus)
	if !status.Signaled() || status.Signal() != syscall.SIGKILL {
		t.Errorf("the hog wasn't killed: %v: %s", c.ProcessState, c.output.String())
	}
	s, err := g.Stats()
	if err != nil {
		t.Fatal(err)
	}
	if s.Memory.Max == nil || *s.Memory.Max != *l.Memory || s.Memory.OOMKills != 1 {
		t.Errorf("figures: %+v", *s.Memory)
	}
	if s.Memory.Peak != nil && *s.Memory.Peak < *l.Memory/2 {
		t.Errorf("peak: %d", *s.Memory.Peak)
	}
	if s.CPU.Usage == 0 {
		t.Error("no CPU time was counted")
	}
}

func testPids(t *testing.T, h Host) {
	l := limits.Limits{Pids: ptr(5)}
	if refused(t, h, "pids", l) {
		return
	}
	g := h.guestOf(t, "one", l)
	c := start(t, g, "for i in 1 2 3 4 5 6 7 8 9; do sleep 600 >/dev/null 2>&1 & done; wait")
	if c.wait(t).ExitCode() == 0 || !strings.Contains(c.output.String(), "fork") {
		t.Errorf("it could fork: %v: %s", c.ProcessState, c.output.String())
	}
	if s, err := g.Stats(); err != nil || s.Pids.Current != 4 || s.Pids.Hits == nil {
		t.Errorf("figures: %+v, %v", s, err)
	}
	for _, file := range []string{"cgroup.procs", "cgroup.threads"} { // all of the guest, wherever they are
		if text, err := g.ReadFile(file); err != nil || len(strings.Fields(text)) != 4 {
			t.Errorf("%s reads as %q, %v", file, text, err)
		}
	}
}

func testCPU(t *testing.T, h Host) {
	// Large, as a millisecond of it may be left over on each CPU that it has left in a period.
	// Source: min_cfs_rq_runtime, kernel/sched/fair.c.
	l := limits.Limits{CPUQuota: &limits.CPUQuota{Quota: 40000, Period: 100000}}
	if refused(t, h, "cpu", l) {
		return
	}
	g := h.guestOf(t, "one", l)
	start(t, g, "while :; do :; done")
	var c *limits.CPU
	eventually(t, "the quota holds it up", func() bool {
		s, err := g.Stats()
		if err != nil {
			t.Fatal(err)
		}
		c = s.CPU
		return c.Throttled != nil && *c.Throttled >= 12 && *c.ThrottledTime > 0
	})
	// Not against a clock: in a period in which it was held up it had all of its quota, and
	// in none it had more. One more may begin between the reads.
	least, most := (*c.Throttled-1)*l.CPUQuota.Quota, (*c.Periods+1)*l.CPUQuota.Quota
	if c.Usage < least*95/100 || c.Usage > most*105/100 {
		t.Errorf("it has used %d µs, not %d to %d", c.Usage, least, most)
	}
	if *c.Periods < *c.Throttled || c.Quota == nil || *c.Quota != *l.CPUQuota || c.User+c.System == 0 || c.User+c.System > c.Usage+1 {
		t.Errorf("figures: %+v", *c)
	}
}

func testCPUSet(t *testing.T, h Host) {
	if refused(t, h, "cpuset", limits.Limits{CPUSet: "0"}) {
		return
	}
	_, err := h.Backend.Make(Base(), "one", limits.Limits{CPUSet: "0,8000"}, owner, nil)
	var field *limits.FieldError
	if !errors.As(err, &field) || !mentions(err, "CPU 8000 is not online (online: 0") {
		t.Errorf("an offline CPU: %v", err)
	}
	h.nothingLeft(t)
	g := h.guestOf(t, "one", limits.Limits{CPUSet: "0"})
	c := start(t, g, "grep Cpus_allowed_list /proc/self/status")
	if c.wait(t); strings.TrimSpace(c.output.String()) != "Cpus_allowed_list:\t0" {
		t.Errorf("it may run on %s", c.output.String())
	}
}

// testMissing drops the default, with one warning, where nothing can keep it.
func testMissing(t *testing.T, h Host) {
	var warnings []string
	l := limits.Limits{Pids: ptr(100), PidsDefault: true}
	g, err := h.Backend.Make(Base(), "one", l, owner, func(w string) { warnings = append(warnings, w) })
	if err != nil {
		t.Fatal(err)
	}
	defer h.end(t, g)
	want := 1
	if h.has("pids") {
		want = 0
	}
	if len(warnings) != want || want == 1 && !strings.Contains(warnings[0], "no pids controller") {
		t.Errorf("warnings: %q", warnings)
	}
}

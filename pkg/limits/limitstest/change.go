package limitstest

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/limits"
)

// testChangeUndone has the kernel refuse the last of several changes: a disk that isn't there.
func testChangeUndone(t *testing.T, h Host) {
	if !h.has("io") {
		return
	}
	from := limits.Limits{Pids: ptr(50), CPUQuota: &limits.CPUQuota{Quota: 50000, Period: 100000}, CPUWeight: ptr(300)}
	to := limits.Limits{
		Pids: ptr(40), CPUQuota: &limits.CPUQuota{Quota: 20000, Period: 100000, Burst: 1000}, CPUSet: "0",
		IO: limits.IO{Devices: []limits.IODevice{{Major: 8, Minor: 4444, ReadBPS: 1 << 20}}},
	}
	g := h.guestOf(t, "one", from)
	before := h.all(t)
	err := g.Change(from, to)
	var field *limits.FieldError
	if !errors.As(err, &field) || field.Field != "limits.io.device" || !mentions(err, "8:4444 is no disk") {
		t.Errorf("a disk that isn't there: %v", err)
	}
	for _, bad := range []limits.Limits{{Pids: ptr(0)}, {Memory: ptr(-1), Pids: ptr(3)}, {Pids: ptr(3), CPUSet: "8000"}, {Pids: ptr(3), CPUs: 5000}} {
		if err := g.Change(from, bad); !errors.As(err, &field) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	if after := h.all(t); after != before {
		t.Errorf("changed from\n%s\nto\n%s", before, after)
	}
}

// all is what the files of guest one have that a change could have touched.
func (h Host) all(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for _, k := range []struct {
		controller string
		v2, v1     []string
	}{
		{"pids", []string{"pids.max"}, []string{"pids.max"}},
		{"cpu", []string{"cpu.max", "cpu.max.burst"}, []string{"cpu.cfs_quota_us", "cpu.cfs_burst_us", "cpu.shares"}},
		{"cpuset", []string{"cpuset.cpus"}, []string{"cpuset.cpus"}},
		{"memory", []string{"memory.max"}, []string{"memory.limit_in_bytes"}},
	} {
		files := k.v2
		if h.mountOf(k.controller) != "" {
			files = k.v1
		}
		for _, file := range files {
			fmt.Fprintf(&b, "%s: %s\n", file, h.content(t, k.controller, content{file: file}))
		}
	}
	return b.String()
}

// testShrink takes memory from a guest that can't give it: v2 kills, v1 refuses and has
// changed nothing. Either way it was said before.
func testShrink(t *testing.T, h Host) {
	if !h.has("memory") {
		return
	}
	from, to := limits.Limits{Memory: ptr(64 << 20), Pids: ptr(50)}, limits.Limits{Memory: ptr(16 << 20), Pids: ptr(40)}
	g := h.guestOf(t, "one", from)
	c := startRole(t, g, "hold:33554432", 0)
	eventually(t, "it holds its memory", func() bool {
		s, err := g.Stats()
		return err == nil && s.Memory.Current >= 32<<20
	})
	s, err := g.Stats()
	if err != nil {
		t.Fatal(err)
	}
	if said := limits.Lowers(from, to, s); len(said) != 1 || said[0].Field != "limits.memory" || !said[0].Fatal {
		t.Errorf("what is said before: %v", said)
	}
	err = g.Change(from, to)
	pids := content{file: "pids.max"}
	if h.mountOf("memory") != "" {
		if !errors.Is(err, unix.EBUSY) || !mentions(err, "limits.memory: it can't be 16M while 3") {
			t.Errorf("memory that is in use was taken: %v", err)
		}
		if got := h.content(t, "pids", pids); got != "50" {
			t.Errorf("refused, and pids.max is %s", got)
		}
		if h.kills(t, g) != 0 {
			t.Error("refused, and killed")
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	c.wait(t)
	if got := h.content(t, "pids", pids); got != "40" || h.kills(t, g) != 1 {
		t.Errorf("pids.max is %s, %d were killed", got, h.kills(t, g))
	}
}

func (h Host) kills(t *testing.T, g limits.Group) int64 {
	t.Helper()
	s, err := g.Stats()
	if err != nil {
		t.Fatal(err)
	}
	return s.Memory.OOMKills
}

// testCPUCount gives a guest a number of CPUs, which its processes see, and changes it.
func testCPUCount(t *testing.T, h Host) {
	if refused(t, h, "cpuset", limits.Limits{CPUs: 1}) {
		return
	}
	_, err := h.Backend.Make(Base(), "one", limits.Limits{CPUs: 8000}, owner, nil)
	var field *limits.FieldError
	if !errors.As(err, &field) || !mentions(err, "limits.cpus: 8000 is more than the ") {
		t.Errorf("more than there are: %v", err)
	}
	h.nothingLeft(t)
	one := limits.Limits{CPUs: 1}
	g := h.guestOf(t, "one", one)
	said := onDisk(t) // there when sleep runs, which what goes by a pipe may not be
	c := start(t, g, "nproc >"+said+"; exec sleep 600")
	c.running(t, "sleep")
	if got, err := os.ReadFile(said); err != nil || strings.TrimSpace(string(got)) != "1" {
		t.Errorf("nproc says %q, %v", got, err)
	}
	all := affinity(t, os.Getpid())
	first := affinity(t, c.Process.Pid)
	if first.Count() != 1 {
		t.Errorf("it has %d CPUs", first.Count())
	}
	two := limits.Limits{CPUs: min(2, all.Count())}
	for _, step := range []struct {
		from, to limits.Limits
		want     int
	}{{one, two, two.CPUs}, {two, limits.Limits{}, all.Count()}, {limits.Limits{}, limits.Limits{CPUSet: "0"}, 1}, {limits.Limits{CPUSet: "0"}, two, two.CPUs}, {two, one, 1}} {
		if err := g.Change(step.from, step.to); err != nil {
			t.Fatal(err)
		}
		checkStrayed(t, g, "changed", step.to)
		got := affinity(t, c.Process.Pid)
		if got.Count() != step.want {
			t.Errorf("%+v: it has %d CPUs", step.to, got.Count())
		}
		if step.to.CPUSet == "0" && !got.IsSet(0) {
			t.Error("it isn't on CPU 0")
		}
	}
	testCPUsByHand(t, g, one, all.Count())
	if h.mountOf("cpuset") == "" {
		h.testUnbound(t, g, one, c.Process.Pid, all.Count())
	}
}

// testCPUsByHand binds the guest to other CPUs than limits do, each time.
func testCPUsByHand(t *testing.T, g limits.Group, was limits.Limits, all int) {
	t.Helper()
	if all < 2 {
		return // there are no others
	}
	key := map[bool]string{true: "limits.cpus", false: "limits.cpuset"}
	for _, step := range []struct {
		limits limits.Limits
		write  string
	}{{limits.Limits{CPUs: 1}, "0-1"}, {limits.Limits{CPUSet: "1"}, "0"}, {limits.Limits{}, "0"}} {
		if err := g.Change(was, step.limits); err != nil {
			t.Fatal(err)
		}
		checkStrayed(t, g, "changed", step.limits)
		if err := g.WriteFile("cpuset.cpus", step.write); err != nil {
			t.Fatal(err)
		}
		checkStrayed(t, g, "by hand", step.limits, "cpuset.cpus")
		if err := g.Change(step.limits, step.limits, key[step.limits.CPUs > 0]); err != nil {
			t.Fatal(err)
		}
		checkStrayed(t, g, "anew", step.limits)
		was = step.limits
	}
	if err := g.Change(was, limits.Limits{CPUs: 1}); err != nil {
		t.Fatal(err)
	}
}

// testUnbound takes the limit off a guest, and a change back, while less CPUs are there than
// later, here because of the base's: it has to get those too. v1 can't.
func (h Host) testUnbound(t *testing.T, g limits.Group, from limits.Limits, pid, all int) {
	t.Helper()
	base := h.V2 + "/" + Base() + "/cpuset.cpus"
	steps := []struct {
		what   string
		change func() error
	}{
		{"taken off", func() error { return g.Change(from, limits.Limits{}) }},
		{"put on and taken back", func() error {
			const nobody = 4444
			err := g.Change(limits.Limits{}, limits.Limits{CPUSet: "0", IO: limits.IO{Devices: []limits.IODevice{{Major: 8, Minor: nobody, ReadBPS: 1 << 20}}}})
			if err == nil || strings.Contains(err.Error(), "back to") {
				return fmt.Errorf("a disk that isn't there: %w", err)
			}
			return nil
		}},
	}
	for _, step := range steps {
		if err := os.WriteFile(base, []byte("0\n"), 0); err != nil {
			t.Fatal(err)
		}
		if err := step.change(); err != nil {
			t.Errorf("%s: %v", step.what, err)
		}
		few := affinity(t, pid)
		if err := os.WriteFile(base, []byte(fmt.Sprintf("0-%d\n", all-1)), 0); err != nil {
			t.Fatal(err)
		}
		if many := affinity(t, pid); few.Count() != 1 || many.Count() != all {
			t.Errorf("%s: it has %d CPUs of 1, and %d of %d", step.what, few.Count(), many.Count(), all)
		}
	}
}

func affinity(t *testing.T, pid int) (set unix.CPUSet) {
	t.Helper()
	if err := unix.SchedGetaffinity(pid, &set); err != nil {
		t.Fatal(err)
	}
	return set
}

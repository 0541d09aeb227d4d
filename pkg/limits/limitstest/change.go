package limitstest

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/sysct/sysct/pkg/limits"
)

// file is where a host has what a limit is written to.
type file struct {
	v2, v1 string // names; v1 is below the mount of controller
	own    bool   // v2's is beside the other guests', one group above guest
}

// read gives the content of a guest's file, without the last newline.
func (h Host) read(t *testing.T, name, controller string, f file) string {
	t.Helper()
	path := h.guest(name) + "/" + f.v2
	if f.own {
		path = h.V2 + "/" + Base() + "/" + name + "/" + f.v2
	}
	if mount := h.mountOf(controller); mount != "" {
		path = mount + "/" + Base() + "/" + name + "/" + f.v1
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Error(err)
	}
	return strings.TrimSuffix(string(text), "\n")
}

// mountOf is the v1 hierarchy of a controller; empty if it is in v2.
func (h Host) mountOf(controller string) string {
	if controller == "io" {
		controller = "blkio"
	}
	for _, mount := range h.V1 {
		if strings.HasSuffix(mount, "/"+controller) {
			return mount
		}
	}
	return ""
}

// testChange changes what can be changed everywhere, and reads it back from the kernel.
func testChange(t *testing.T, h Host) {
	if !h.has("memory") || !h.has("pids") || !h.has("cpu") {
		return
	}
	from := limits.Limits{Memory: ptr(64 << 20), Pids: ptr(50), CPUQuota: &limits.CPUQuota{Quota: 50000, Period: 100000, Burst: 20000}}
	g := h.guestOf(t, "one", from)
	check := func(when, memory, pids, quota, burst string) {
		t.Helper()
		for _, c := range []struct {
			controller, want string
			file             file
		}{
			{"memory", memory, file{v2: "memory.max", v1: "memory.limit_in_bytes"}},
			{"pids", pids, file{v2: "pids.max", v1: "pids.max"}},
			{"cpu", burst, file{v2: "cpu.max.burst", v1: "cpu.cfs_burst_us"}},
			{"cpu", quota, file{v2: "cpu.max", v1: "cpu.cfs_quota_us"}},
		} {
			got := h.read(t, "one", c.controller, c.file)
			got, _, _ = strings.Cut(got, " ")
			switch got {
			case "9223372036854771712", "-1":
				got = "max"
			}
			if got != c.want {
				t.Errorf("%s: %v is %q, not %q", when, c.file, got, c.want)
			}
		}
	}
	check("at first", "67108864", "50", "50000", "20000")
	to := limits.Limits{Memory: ptr(32 << 20), CPUQuota: &limits.CPUQuota{Quota: 10000, Period: 100000, Burst: 10000}}
	if err := g.Change(from, to); err != nil {
		t.Fatal(err)
	}
	check("changed", "33554432", "max", "10000", "10000")
	if err := g.Change(to, from); err != nil {
		t.Fatal(err)
	}
	check("changed back", "67108864", "50", "50000", "20000")
	for _, bad := range []limits.Limits{{Pids: ptr(0)}, {Memory: ptr(-1), Pids: ptr(3)}, {Pids: ptr(3), CPUSet: "8000"}} {
		var field *limits.FieldError
		if err := g.Change(from, bad); !errors.As(err, &field) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	check("refused", "67108864", "50", "50000", "20000")
	if err := g.Change(from, limits.Limits{}); err != nil {
		t.Fatal(err)
	}
	check("without", "max", "max", "max", "0")
}

package limitstest

import (
	"errors"
	"fmt"
	"os"
	"path"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/sysct/sysct/pkg/limits"
	"github.com/sysct/sysct/pkg/limits/disks"
)

// knob is a limit with two values, and what the kernel's files then have: with each, and
// without any.
type knob struct {
	field, controller string
	from, to          limits.Limits
	v2, v1            []content // v1 is nil where it has no such limit
}

// content is what a file has. Of one with a line a device it is that line.
type content struct {
	file           string
	own            bool // beside the other guests' groups, one above guest
	from, to, none string
}

func knobs(disk disks.Disk) []knob {
	quota := func(quota, burst int64) limits.Limits {
		return limits.Limits{CPUQuota: &limits.CPUQuota{Quota: quota, Period: 100000, Burst: burst}}
	}
	device := func(d limits.IODevice) limits.Limits {
		d.Major, d.Minor = disk.Major, disk.Minor
		return limits.Limits{IO: limits.IO{Devices: []limits.IODevice{d}}}
	}
	pages := func(n int64) limits.Limits { return limits.Limits{Hugepages: map[string]int64{"2MB": n}} }
	const v1None = "9223372036854771712"
	return []knob{
		{"limits.memory", "memory", limits.Limits{Memory: ptr(64 << 20)}, limits.Limits{Memory: ptr(32 << 20)},
			[]content{{"memory.max", false, "67108864", "33554432", "max"}},
			[]content{{"memory.limit_in_bytes", false, "67108864", "33554432", v1None}}},
		{"limits.swap", "memory", limits.Limits{Memory: ptr(64 << 20), Swap: ptr(0)}, limits.Limits{Memory: ptr(96 << 20), Swap: ptr(1 << 20)},
			[]content{{"memory.swap.max", false, "0", "1048576", "max"}, {"memory.max", false, "67108864", "100663296", "max"}},
			[]content{{"memory.memsw.limit_in_bytes", false, "67108864", "101711872", v1None}, {"memory.limit_in_bytes", false, "67108864", "100663296", v1None}}},
		{"limits.memory_high", "memory", limits.Limits{MemoryHigh: ptr(64 << 20)}, limits.Limits{MemoryHigh: ptr(32 << 20)},
			[]content{{"memory.high", false, "67108864", "33554432", "max"}}, nil},
		{"limits.memory_min", "memory", limits.Limits{MemoryMin: ptr(4 << 20)}, limits.Limits{MemoryMin: ptr(8 << 20)},
			[]content{{"memory.min", false, "4194304", "8388608", "0"}, {"memory.min", true, "4194304", "8388608", "0"}, {"payload/memory.min", false, "4194304", "8388608", "0"}}, nil},
		{"limits.cpu_quota", "cpu", quota(150000, 50000), quota(20000, 20000),
			[]content{{"cpu.max", false, "150000 100000", "20000 100000", "max 100000"}, {"cpu.max.burst", false, "50000", "20000", "0"}},
			[]content{{"cpu.cfs_quota_us", false, "150000", "20000", "-1"}, {"cpu.cfs_burst_us", false, "50000", "20000", "0"}}},
		{"limits.cpu_weight", "cpu", limits.Limits{CPUWeight: ptr(200)}, limits.Limits{CPUWeight: ptr(1)},
			[]content{{"cpu.weight", true, "200", "1", "100"}},
			[]content{{"cpu.shares", false, "2048", "10", "1024"}}},
		{"limits.pids", "pids", limits.Limits{Pids: ptr(50)}, limits.Limits{Pids: ptr(60)},
			[]content{{"pids.max", false, "50", "60", "max"}}, []content{{"pids.max", false, "50", "60", "max"}}},
		{"limits.hugepages", "hugetlb", pages(4 << 20), pages(0),
			[]content{{"hugetlb.2MB.max", false, "4194304", "0", "max"}},
			[]content{{"hugetlb.2MB.limit_in_bytes", false, "4194304", "0", v1None}}},
		{"limits.io.weight", "io", limits.Limits{IO: limits.IO{Weight: ptr(10000)}}, limits.Limits{IO: limits.IO{Weight: ptr(50)}},
			[]content{{"io.weight", true, "default 10000", "default 50", "default 100"}},
			[]content{{"blkio.bfq.weight", false, "1000", "50", "100"}}},
		{"limits.io.device", "io", device(limits.IODevice{ReadBPS: 1 << 20, WriteIOPS: 100}), device(limits.IODevice{ReadBPS: 2 << 20, WriteBPS: 5 << 20}),
			[]content{{"io.max", false, fmt.Sprintf("%s rbps=1048576 wbps=max riops=max wiops=100", disk), fmt.Sprintf("%s rbps=2097152 wbps=5242880 riops=max wiops=max", disk), ""}},
			[]content{
				{"blkio.throttle.read_bps_device", false, fmt.Sprintf("%s 1048576", disk), fmt.Sprintf("%s 2097152", disk), ""},
				{"blkio.throttle.write_bps_device", false, "", fmt.Sprintf("%s 5242880", disk), ""},
				{"blkio.throttle.write_iops_device", false, fmt.Sprintf("%s 100", disk), "", ""},
			}},
	}
}

// testKnobs sets every limit, changes it, takes it back and off, and reads each time what
// the kernel has.
func testKnobs(t *testing.T, h Host) {
	disk, err := disks.Of("/var/lib")
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range knobs(disk) {
		t.Run(k.field, func(t *testing.T) {
			contents := k.v2
			if h.mountOf(k.controller) != "" {
				contents = k.v1
			}
			if h.refuses(t, k, contents == nil) {
				return
			}
			g := h.guestOf(t, "one", k.from)
			h.check(t, "set", k, contents, func(c content) string { return c.from })
			for _, step := range []struct {
				what     string
				from, to limits.Limits
				want     func(content) string
			}{
				{"changed", k.from, k.to, func(c content) string { return c.to }},
				{"changed back", k.to, k.from, func(c content) string { return c.from }},
				{"taken off", k.from, limits.Limits{}, func(c content) string { return c.none }},
				{"put on", limits.Limits{}, k.to, func(c content) string { return c.to }},
			} {
				if err := g.Change(step.from, step.to); err != nil {
					t.Fatalf("%s: %v", step.what, err)
				}
				h.check(t, step.what, k, contents, step.want)
				checkStrayed(t, g, step.what, step.to)
			}
			h.checkBounds(t, g, k.to)
			h.checkFiles(t, g, k, contents)
			h.checkRenewed(t, g, k, contents)
		})
	}
}

// checkFiles reads and writes a limit's files by their names: they are those that the limit is
// kept in.
func (h Host) checkFiles(t *testing.T, g limits.Group, k knob, contents []content) {
	t.Helper()
	for _, c := range contents {
		name, to := path.Base(c.file), c.to
		if text, err := g.ReadFile(name); err != nil || strings.TrimSuffix(text, "\n") != to {
			t.Errorf("%s reads as %q (%v), not %q", name, text, err, to)
		}
	}
	if k.field == "limits.swap" {
		return // two files that have to fit each other at each moment
	}
	written := map[string]bool{} // once for all places
	for _, c := range contents {
		name := path.Base(c.file)
		if c.from == "" {
			continue // it has no words for no line
		}
		if !written[name] {
			written[name] = true
			if err := g.WriteFile(name, c.from); err != nil {
				t.Error(err)
			}
		}
		h.check(t, "written", k, []content{c}, func(c content) string { return c.from })
	}
}

// checkStrayed wants files to have strayed from limits, by their names; none at all if there
// are no names.
func checkStrayed(t *testing.T, g limits.Group, when string, l limits.Limits, files ...string) {
	t.Helper()
	strayed, err := g.Strayed(l)
	if err != nil {
		t.Error(err)
	}
	var got []string
	for _, s := range strayed {
		got = append(got, s.File)
	}
	if got = slices.Compact(got); !slices.Equal(got, files) {
		t.Errorf("%s: what has strayed from %+v is %+v, not %q", when, l, strayed, files)
	}
}

// checkRenewed has the limits back in the files that somebody else has written, of the keys
// that are asked for.
func (h Host) checkRenewed(t *testing.T, g limits.Group, k knob, contents []content) {
	t.Helper()
	if strings.HasPrefix(k.field, "limits.io") || k.field == "limits.hugepages" || k.field == "limits.swap" {
		return // these aren't compared, and swap's aren't written
	}
	var files []string
	for _, c := range contents {
		files = append(files, path.Base(c.file))
	}
	checkStrayed(t, g, "written", k.to, slices.Compact(files)...)
	if err := g.Change(k.to, k.to, "limits.nothing"); err != nil {
		t.Error(err)
	}
	h.check(t, "not asked for", k, contents, func(c content) string { return c.from })
	if err := g.Change(k.to, k.to, k.field, "limits.cpu_burst"); err != nil {
		t.Error(err)
	}
	h.check(t, "anew", k, contents, func(c content) string { return c.to })
	checkStrayed(t, g, "anew", k.to)
}

// refuses checks that a limit is refused, by a start and by a change, where nothing can
// keep it.
func (h Host) refuses(t *testing.T, k knob, lacking bool) bool {
	t.Helper()
	if h.has(k.controller) && !lacking {
		return false
	}
	want := "no " + k.controller + " controller"
	if lacking {
		want = "the " + k.controller + " controller of this host is of control groups v1, which has no such limit"
	}
	g := h.guestOf(t, "other", limits.Limits{})
	made, err := h.Backend.Make(Base(), "one", k.from, owner, nil)
	if err == nil {
		h.end(t, made)
	}
	for what, err := range map[string]error{"made": err, "changed": g.Change(limits.Limits{}, k.from)} {
		var field *limits.FieldError
		if !errors.As(err, &field) || !strings.HasPrefix(k.field, "limits.") || !mentions(err, want) {
			t.Errorf("%s: %v", what, err)
		}
	}
	return true
}

// checkBounds reads limits back that no other figure stands beside, of the guest's own group
// and in the look at all.
func (h Host) checkBounds(t *testing.T, g limits.Group, l limits.Limits) {
	t.Helper()
	own, err := g.Stats()
	if err != nil {
		t.Fatal(err)
	}
	sights, err := h.Backend.Sights(Base(), []string{"one"}, limits.WantHugepages|limits.WantBounds)
	if err != nil {
		t.Fatal(err)
	}
	all := []limits.Stats{own}
	if s := sights["one"].Stats; s != nil {
		all = append(all, *s)
	}
	for _, s := range all {
		got := limits.Limits{CPUWeight: s.Bounds.CPUWeight, IO: s.Bounds.IO}
		for _, p := range s.Hugepages {
			got.Hugepages = map[string]int64{p.Size: *p.Max}
		}
		want := limits.Limits{CPUWeight: l.CPUWeight, IO: l.IO, Hugepages: l.Hugepages}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("what is read back: %+v, not %+v", got, want)
		}
	}
}

func (h Host) check(t *testing.T, when string, k knob, contents []content, want func(content) string) {
	t.Helper()
	for _, c := range contents {
		if got := h.content(t, k.controller, c); got != want(c) {
			t.Errorf("%s: %s has %q, not %q", when, c.file, got, want(c))
		}
	}
}

// content reads a file of guest one: all of it, or the line that begins as the wanted one.
func (h Host) content(t *testing.T, controller string, c content) string {
	t.Helper()
	path := h.guest("one") + "/" + c.file
	if c.own {
		path = h.V2 + "/" + Base() + "/one/" + c.file
	}
	if mount := h.mountOf(controller); mount != "" {
		path = mount + "/" + Base() + "/one/" + c.file
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

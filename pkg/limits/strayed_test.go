package limits

import (
	"os"
	"slices"
	"strconv"
	"testing"
)

// TestRoundingHasNotStrayed: what the kernel makes of a value isn't another hand's.
func TestRoundingHasNotStrayed(t *testing.T) {
	page := int64(os.Getpagesize())
	text := func(n int64) string { return strconv.FormatInt(n, 10) + "\n" }
	none := text((1<<63 - 1) / page * page) // v1's words for no limit
	memory := Limits{Memory: ptr(64<<20 + 1), Swap: ptr(1)}
	for _, c := range []struct {
		l          Limits
		file, text string
		want       bool
	}{
		{memory, "memory.max", text(64 << 20), false},
		{memory, "memory.max", text(64<<20 + page), true},
		{memory, "memory.max", "max\n", true},
		{memory, "memory.swap.max", "0\n", false},
		{memory, "memory.limit_in_bytes", text(64 << 20), false},
		{memory, "memory.memsw.limit_in_bytes", text(64 << 20), false},
		{Limits{}, "memory.limit_in_bytes", none, false},
		{Limits{}, "memory.memsw.limit_in_bytes", none, false},
		{Limits{}, "memory.limit_in_bytes", text(64 << 20), true},
		{Limits{Memory: ptr(1<<63 - 1)}, "memory.max", "max\n", false},
		{Limits{}, "memory.min", "0\n", false},
		{Limits{}, "memory.min", text(page), true},
		{Limits{}, "cpu.max", "max 100000\n", false},
		{Limits{}, "cpu.max", "50000 100000\n", true},
		{Limits{CPUQuota: quota(5000, 2000)}, "cpu.cfs_quota_us", "5000\n", false},
		{Limits{CPUQuota: quota(5000, 2000)}, "cpu.cfs_period_us", "50000\n", true},
		{Limits{CPUWeight: ptr(5)}, "cpu.shares", "51\n", false},
		{Limits{CPUWeight: ptr(5)}, "cpu.weight", "5\n", false},
		{Limits{Pids: ptr(5)}, "pids.max", "5\n", false},
		{Limits{Pids: ptr(5)}, "pids.max", "max\n", true},
	} {
		knobs := slices.Concat(Kept(c.l, pureV2()), Kept(c.l, hybrid()))
		i := slices.IndexFunc(knobs, func(k Knob) bool { return k.File == c.file })
		if i < 0 {
			t.Errorf("%s isn't compared", c.file)
			continue
		}
		if s, strayed := knobs[i].Strayed(c.text); strayed != c.want {
			t.Errorf("%+v, %s with %q: %+v has strayed: %v", c.l, c.file, c.text, s, strayed)
		}
	}
}

func TestCPUsStrayed(t *testing.T) {
	for _, c := range []struct {
		l    Limits
		has  CPUSet
		want string
	}{
		{Limits{CPUs: 1}, CPUSet{2}, ""},
		{Limits{CPUs: 1}, CPUSet{0, 1}, "limits.cpus"},
		{Limits{CPUSet: "1,0"}, CPUSet{0, 1}, ""},
		{Limits{CPUSet: "0-1"}, CPUSet{0}, "limits.cpuset"},
		{Limits{}, nil, ""},
		{Limits{}, CPUSet{0, 1, 2, 3}, ""}, // all that there may ever be
		{Limits{}, CPUSet{0}, "limits.cpuset"},
	} {
		s, strayed := StrayedCPUs(c.l, c.has, CPUSet{0, 1, 2})
		if strayed != (c.want != "") || strayed && s.Field != c.want {
			t.Errorf("%+v with %s: %+v, %v", c.l, c.has, s, strayed)
		}
	}
}

// TestStrayedIsWrittenAnew in the order that the kernel wants, from what it has.
func TestStrayedIsWrittenAnew(t *testing.T) {
	l := Limits{Pids: ptr(7), CPUQuota: quota(5000, 2000), Memory: ptr(8 << 20), Swap: ptr(0)}
	strayed := func(on Controllers, files map[string]string) (all []Strayed) {
		for _, k := range Kept(l, on) {
			if s, is := k.Strayed(files[k.File]); files[k.File] != "" && is {
				all = append(all, s)
			}
		}
		return all
	}
	v2, _, err := NewChange(l, l, pureV2(), strayed(pureV2(), map[string]string{"pids.max": "5", "memory.max": "max", "cpu.max": "1000 100000", "cpu.max.burst": "0"})...)
	if got, want := lines(v2), []string{"cpu.max 5000 100000", "cpu.max.burst 2000", "pids.max 7", "memory.max 8388608"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("v2: %q, %v, want %q", got, err, want)
	}
	_, v1, err := NewChange(l, l, hybrid(), strayed(hybrid(), map[string]string{"memory.limit_in_bytes": "4096", "memory.memsw.limit_in_bytes": "4096"})...)
	if got, want := lines(v1), []string{"memory.memsw.limit_in_bytes 8388608", "memory.limit_in_bytes 8388608"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("v1: %q, %v, want %q", got, err, want)
	}
}

func TestInForceIsInTheUnitOfTheKey(t *testing.T) {
	l := Limits{Memory: ptr(8 << 20), CPUQuota: &CPUQuota{Quota: 5000, Period: 100000}}
	for _, c := range []struct {
		controller, file, has string
		want                  int64 // -1: none
	}{
		{"memory", "memory.max", "4096", 4096}, {"memory", "memory.max", "max", -1}, {"memory", "memory.limit_in_bytes", "9223372036854771712", -1},
		{"memory", "memory.memsw.limit_in_bytes", "8392704", 4096}, {"memory", "memory.memsw.limit_in_bytes", "4096", -1},
		{"cpu", "cpu.max", "25000 50000", 50000}, {"cpu", "cpu.max", "max 100000", -1}, {"cpu", "cpu.cfs_quota_us", "7000", 7000},
		{"cpu", "cpu.cfs_period_us", "50000", -1}, {"cpu", "cpu.shares", "51", 5}, {"pids", "pids.max", "50", 50},
	} {
		s := Strayed{Knob{Controller: c.controller, File: c.file}, c.has}
		if n, ok := s.InForce(l, 100000); ok != (c.want >= 0) || ok && n != c.want {
			t.Errorf("%s with %s: %d, %v", c.file, c.has, n, ok)
		}
	}
}

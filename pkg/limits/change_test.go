package limits

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func quota(q, b int64) *CPUQuota { return &CPUQuota{Quota: q, Period: 100000, Burst: b} }

func TestChangeWritesWhatDiffers(t *testing.T) {
	for _, c := range []struct {
		from, to Limits
		v2, v1   []string
	}{
		{old(), old(), nil, nil},
		{Limits{}, Limits{}, nil, nil},
		{Limits{Pids: ptr(5)}, Limits{Pids: ptr(7)}, []string{"pids.max 7"}, []string{"pids.max 7"}},
		{Limits{Pids: ptr(5), PidsDefault: true}, Limits{Pids: ptr(5)}, nil, nil},
		{Limits{Memory: ptr(1 << 20)}, Limits{}, []string{"memory.max max"}, []string{"memory.limit_in_bytes -1"}},
		{Limits{CPUSet: "0", CPUs: 1}, Limits{CPUSet: "0-1"}, []string{"cpuset.cpus 0-1"}, []string{"cpuset.cpus 0-1"}},
		{Limits{CPUSet: "0-1"}, Limits{CPUSet: "1", CPUs: 1}, []string{"cpuset.cpus 1"}, []string{"cpuset.cpus 1"}},
		{Limits{CPUSet: "0"}, Limits{}, []string{"cpuset.cpus "}, []string{"cpuset.cpus "}},
		{Limits{CPUQuota: quota(5000, 2000)}, Limits{}, []string{"cpu.max max 100000", "cpu.max.burst 0"}, []string{"cpu.cfs_quota_us -1", "cpu.cfs_burst_us 0"}},
		{Limits{CPUWeight: ptr(5)}, Limits{}, []string{"*cpu.weight 100"}, []string{"cpu.shares 1024"}},
		{
			Limits{IO: IO{Devices: []IODevice{{Major: 8, ReadBPS: 5}, {Major: 9, ReadBPS: 6}}}},
			Limits{IO: IO{Devices: []IODevice{{Major: 9, WriteIOPS: 7}, {Major: 10, ReadIOPS: 1}}}},
			[]string{"io.max 9:0 rbps=max wbps=max riops=max wiops=7", "io.max 10:0 rbps=max wbps=max riops=1 wiops=max", "io.max 8:0 rbps=max wbps=max riops=max wiops=max"},
			[]string{"blkio.throttle.read_bps_device 9:0 0", "blkio.throttle.write_iops_device 9:0 7", "blkio.throttle.read_iops_device 10:0 1", "blkio.throttle.read_bps_device 8:0 0"},
		},
		// What costs processes comes last, whatever else changes.
		{Limits{Memory: ptr(9 << 20)}, Limits{Memory: ptr(5 << 20), Swap: ptr(0), Pids: ptr(5)},
			[]string{"pids.max 5", "memory.swap.max 0", "memory.max 5242880"}, []string{"pids.max 5", "memory.limit_in_bytes 5242880", "memory.memsw.limit_in_bytes 5242880"}},
	} {
		checkChange(t, c.from, c.to, pureV2(), c.v2)
		checkChange(t, c.from, c.to, hybrid(), c.v1)
	}
}

func checkChange(t *testing.T, from, to Limits, on Controllers, want []string) {
	t.Helper()
	v2, v1, err := NewChange(from, to, on)
	if err != nil {
		t.Fatal(err)
	}
	if got := lines(slices.Concat(v2, v1)); !slices.Equal(got, want) {
		t.Errorf("%+v to %+v: got %q, want %q", from, to, got, want)
	}
}

func TestChangeRefusesWhatAStartRefuses(t *testing.T) {
	for want, to := range map[string]Limits{
		"limits.memory_high: the memory controller": {MemoryHigh: ptr(1 << 20)},
		"limits.pids: 0 is not":                     {Pids: ptr(0)},
		"limits.cpus: -1":                           {CPUs: -1},
	} {
		if _, _, err := NewChange(Limits{}, to, hybrid()); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	// What a host never kept can be taken off.
	if v2, v1, err := NewChange(Limits{Pids: ptr(10), PidsDefault: true}, Limits{}, Controllers{}); err != nil || len(v2)+len(v1) != 0 {
		t.Errorf("got %v %v %v", v2, v1, err)
	}
}

// TestEachWriteIsPossible walks random changes through a model of what the kernel refuses:
// an inner bound above an outer one, at every moment; and the end is what was wanted.
func TestEachWriteIsPossible(t *testing.T) {
	limits := rapid.Custom(func(t *rapid.T) Limits {
		l := Limits{Memory: rapid.Ptr(rapid.Int64Range(1, 50), false).Draw(t, "memory")}
		l.Swap = rapid.Ptr(rapid.Int64Range(0, 50), true).Draw(t, "swap")
		l.Pids = rapid.Ptr(rapid.Int64Range(1, 5), true).Draw(t, "pids")
		if q := rapid.Int64Range(0, 5).Draw(t, "quota"); q > 0 {
			l.CPUQuota = quota(1000*q, rapid.Int64Range(0, 1000*q).Draw(t, "burst"))
		}
		return l
	})
	rapid.Check(t, func(t *rapid.T) {
		from, to := limits.Draw(t, "from"), limits.Draw(t, "to")
		for _, on := range []Controllers{pureV2(), hybrid()} {
			start, err := NewPlan(from, on)
			if err != nil {
				t.Fatal(err)
			}
			files := map[string]string{}
			turn := func(k Knob) {
				files[k.File+" "+k.Key] = k.Value
				for _, pair := range pairs() {
					inner, outer := files[pair[0]+" "], files[pair[1]+" "]
					if inner != "" && inner != "-1" && outer != "" && amount(inner) > amount(outer) {
						t.Fatalf("%s is %s and %s %s", pair[0], inner, pair[1], outer)
					}
				}
			}
			for _, k := range slices.Concat(start.V2, start.V1) {
				turn(k)
			}
			v2, v1, err := NewChange(from, to, on)
			if err != nil {
				t.Fatal(err)
			}
			for _, k := range slices.Concat(v2, v1) {
				turn(k)
				if k.IsDefault() {
					delete(files, k.File+" "+k.Key)
				}
			}
			end, err := NewPlan(to, on)
			if err != nil {
				t.Fatal(err)
			}
			want := map[string]string{}
			for _, k := range slices.Concat(end.V2, end.V1) {
				want[k.File+" "+k.Key] = k.Value
			}
			if !maps.Equal(files, want) {
				t.Fatalf("ends with %v, not %v", files, want)
			}
		}
	})
}

func TestPresentIsWhatTheFileHas(t *testing.T) {
	line := Knob{File: "io.max", Key: "8:0", Value: "8:0 rbps=1", Default: "8:0 rbps=max"}
	for text, want := range map[string]string{
		"": "8:0 rbps=max", "8:16 rbps=2 wbps=3\n": "8:0 rbps=max", "8:16 rbps=2\n8:0 rbps=7 wbps=max\n": "8:0 rbps=7 wbps=max",
	} {
		if got := line.Present(text); got.Value != want || got.Key != "8:0" {
			t.Errorf("%q: %+v", text, got)
		}
	}
	for text, want := range map[string]string{"max 100000\n": "max 100000", "\n": "", "default 50\n8:0 70\n": "default 50"} {
		if got := (Knob{File: "x"}).Present(text); got.Value != want {
			t.Errorf("%q: %+v", text, got)
		}
	}
}

func TestLowers(t *testing.T) {
	s := Stats{Memory: &Memory{Current: 18726912}, Pids: &Pids{Current: 10}}
	for want, c := range map[string][2]Limits{
		"[]": {{}, {Memory: ptr(18726912), Pids: ptr(10)}},
		"[limits.memory: 5M is below the 17.9M in use: what the kernel can't take back it kills processes for, or it refuses the change]": {{}, {Memory: ptr(5 << 20)}},
		"[limits.pids: 9 is below the 10 processes and threads that there are: no fork in it succeeds until there are fewer]":             {{Pids: ptr(20)}, {Pids: ptr(9)}},
		"[limits.memory_high: 1B is below the 17.9M in use: the guest is slowed down until it has given back the rest]":                   {{Pids: ptr(5)}, {Pids: ptr(5), MemoryHigh: ptr(1)}},
	} {
		if got := fmt.Sprint(Lowers(c[0], c[1], s)); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if got := Lowers(Limits{}, Limits{Memory: ptr(1), Pids: ptr(1)}, Stats{}); got != nil {
		t.Errorf("without figures: %v", got)
	}
}

package limits

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func ptr(n int64) *int64 { return &n }

func all() Limits {
	return Limits{
		Memory: ptr(512 << 20), Swap: ptr(128 << 20), MemoryHigh: ptr(400 << 20), MemoryMin: ptr(64 << 20),
		CPUSet: "1,0", CPUQuota: &CPUQuota{Quota: 150000, Period: 100000, Burst: 50000}, CPUWeight: ptr(200), Pids: ptr(300),
		Hugepages: map[string]int64{"2MB": 4 << 20, "1GB": 0},
		IO: IO{Weight: ptr(1000), Devices: []IODevice{
			{Major: 8, Minor: 16, ReadBPS: 1 << 20, WriteIOPS: 100}, {Major: 254, WriteBPS: 5 << 32, ReadIOPS: 1 << 33},
		}},
	}
}

// old is what v1 has a word for.
func old() Limits {
	l := all()
	l.MemoryHigh, l.MemoryMin = nil, nil
	return l
}

// lines are knobs as "file value", with * for those beside the other guests', + for
// those in the guest's own root.
func lines(knobs []Knob) []string {
	all := []string{}
	for _, k := range knobs {
		line := k.File + " " + k.Value
		line = map[Place]string{Beside: "*", InPayload: "+"}[k.Place] + line
		all = append(all, line)
	}
	return all
}

func pureV2() Controllers {
	return Controllers{V2: []string{"cpuset", "cpu", "io", "memory", "hugetlb", "pids", "rdma"}}
}

func hybrid() Controllers {
	return Controllers{V2: []string{"hugetlb"}, V1: []string{"cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids"}}
}

func TestPlanOnPureV2(t *testing.T) {
	p, err := NewPlan(all(), pureV2())
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"cpuset.cpus 0-1", "cpu.max 150000 100000", "cpu.max.burst 50000", "*cpu.weight 200", "pids.max 300",
		"hugetlb.1GB.max 0", "hugetlb.2MB.max 4194304", "*io.weight default 1000", "*io.bfq.weight default 181",
		"io.max 8:16 rbps=1048576 wbps=max riops=max wiops=100", "io.max 254:0 rbps=max wbps=21474836480 riops=8589934592 wiops=max",
		"*memory.min 67108864", "memory.min 67108864", "+memory.min 67108864", "memory.high 419430400", "memory.max 536870912", "memory.swap.max 134217728",
	}
	if got := lines(p.V2); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	if want := []string{"cpu", "cpuset", "io", "memory", "pids", "hugetlb"}; len(p.V1) != 0 || !slices.Equal(p.Enable, want) || len(p.Join) != 0 {
		t.Errorf("got %+v", p)
	}
}

func TestPlanOnHybrid(t *testing.T) {
	p, err := NewPlan(old(), hybrid())
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"cpuset.cpus 0-1", "cpu.cfs_quota_us 150000", "cpu.cfs_burst_us 50000", "cpu.shares 2048", "pids.max 300",
		"blkio.bfq.weight 181",
		"blkio.throttle.read_bps_device 8:16 1048576", "blkio.throttle.write_iops_device 8:16 100",
		"blkio.throttle.write_bps_device 254:0 21474836480", "blkio.throttle.read_iops_device 254:0 4294967295",
		"memory.limit_in_bytes 536870912", "memory.memsw.limit_in_bytes 671088640",
	}
	if got := lines(p.V1); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	if got := lines(p.V2); !slices.Equal(got, []string{"hugetlb.1GB.max 0", "hugetlb.2MB.max 4194304"}) || !slices.Equal(p.Enable, []string{"hugetlb"}) {
		t.Errorf("got %q, enabled %q", got, p.Enable)
	}
	if want := []string{"cpu", "cpuacct", "cpuset", "memory", "pids", "blkio"}; !slices.Equal(p.Join, want) {
		t.Errorf("joins %q", p.Join)
	}
}

func TestPlanOnMixedHost(t *testing.T) {
	l := Limits{Memory: ptr(512 << 20), CPUSet: "0", Pids: ptr(3), CPUQuota: &CPUQuota{Quota: 5000, Period: 100000}}
	p, err := NewPlan(l, Controllers{V2: []string{"memory", "pids"}, V1: []string{"cpu", "cpuset"}})
	if err != nil {
		t.Fatal(err)
	}
	if len(p.V2) != 2 || len(p.V1) != 2 || !reflect.DeepEqual(p.Join, []string{"cpu", "cpuset"}) {
		t.Errorf("got %+v", p)
	}
}

// TestPlanRefusesWhatV1Lacks: nothing is made to look like what it isn't.
func TestPlanRefusesWhatV1Lacks(t *testing.T) {
	for want, l := range map[string]Limits{
		"limits.memory_min: the memory controller of this host is of control groups v1, which has no such limit":                                          {MemoryMin: ptr(1 << 20)},
		"limits.memory_high: the memory controller of this host is of control groups v1, which has no such limit":                                         {MemoryHigh: ptr(1 << 20)},
		"limits.swap: limits.memory has to be set too: the memory controller of this host is of control groups v1, which bounds memory and swap together": {Swap: ptr(0)},
	} {
		if _, err := NewPlan(l, hybrid()); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// TestSharesOfWeights: 100 is each version's default, and more is more.
func TestSharesOfWeights(t *testing.T) {
	for weight, want := range map[int64][2]string{1: {"10", "1"}, 100: {"1024", "100"}, 101: {"1034", "100"}, 200: {"2048", "109"}, 10000: {"102400", "1000"}} {
		l := Limits{CPUWeight: &weight, IO: IO{Weight: &weight}}
		if got := [2]string{shares(&l), bfq(&l)}; got != want {
			t.Errorf("%d: got %v, want %v", weight, got, want)
		}
	}
}

func TestPlanRefusesWhatNoControllerKeeps(t *testing.T) {
	for field, l := range map[string]Limits{
		"limits.memory":     {Memory: ptr(1 << 20)},
		"limits.cpu_quota":  {CPUQuota: &CPUQuota{Quota: 1000, Period: 100000}},
		"limits.cpuset":     {CPUSet: "0"},
		"limits.pids":       {Pids: ptr(10)},
		"limits.cpus":       {CPUs: 1},
		"limits.cpu_weight": {CPUWeight: ptr(1)},
		"limits.swap":       {Memory: nil, Swap: ptr(0)},
		"limits.hugepages":  {Hugepages: map[string]int64{"2MB": 0}},
		"limits.io.weight":  {IO: IO{Weight: ptr(1)}},
		"limits.io.device":  {IO: IO{Devices: []IODevice{{Major: 8, ReadBPS: 1}}}},
	} {
		_, err := NewPlan(l, Controllers{V2: []string{"rdma"}})
		var fe *FieldError
		if !errors.As(err, &fe) || fe.Field != field || !strings.Contains(err.Error(), "controller") {
			t.Errorf("%s: %v", field, err)
		}
	}
}

func TestPlanSaysWhoHasNoController(t *testing.T) {
	_, err := NewPlan(Limits{Hugepages: map[string]int64{"2MB": 0}}, Controllers{V2: []string{"memory"}, Delegated: true})
	if want := "limits.hugepages: the host's service manager delegates no hugetlb controller"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestPlanDropsTheDefaultWithOneWarning(t *testing.T) {
	p, err := NewPlan(Limits{Pids: ptr(10), PidsDefault: true}, Controllers{})
	if err != nil || len(p.V1)+len(p.V2) != 0 || len(p.Warnings) != 1 {
		t.Fatalf("%+v, %v", p, err)
	}
	if want := "limits.pids: the default is not enforced: this host has no pids controller"; p.Warnings[0] != want {
		t.Errorf("got %q, want %q", p.Warnings[0], want)
	}
}

func TestPlanRefusesWhatMakesNoSense(t *testing.T) {
	on := pureV2()
	disk := IODevice{Major: 8, WriteBPS: 1}
	for want, l := range map[string]Limits{
		"limits.memory: 0 bytes is no size":                                               {Memory: ptr(0)},
		"limits.memory: -1 bytes is no size":                                              {Memory: ptr(-1)},
		"limits.cpu_quota: 999 µs is under the smallest quota of 1000":                    {CPUQuota: &CPUQuota{Quota: 999, Period: 100000}},
		"limits.cpu_quota: a period of 1000001 µs is not between 1000 and 1000000":        {CPUQuota: &CPUQuota{Quota: 5000, Period: 1000001}},
		"limits.cpu_burst: 5001 µs is not between 0 and the quota of 5000":                {CPUQuota: &CPUQuota{Quota: 5000, Period: 100000, Burst: 5001}},
		"limits.swap: -1 bytes is no size":                                                {Swap: ptr(-1)},
		"limits.memory_high: 0 bytes is no size":                                          {MemoryHigh: ptr(0)},
		"limits.memory_min: -5 bytes is no size":                                          {MemoryMin: ptr(-5)},
		"limits.cpus: -1 is no number of CPUs":                                            {CPUs: -1},
		"limits.cpu_weight: 10001 is not between 1 and 10000":                             {CPUWeight: ptr(10001)},
		"limits.io.weight: 0 is not between 1 and 10000":                                  {IO: IO{Weight: ptr(0)}},
		"limits.io.device: the disk 8:0 is there twice":                                   {IO: IO{Devices: []IODevice{disk, disk}}},
		"limits.io.device: a limit of the disk 8:0 is negative":                           {IO: IO{Devices: []IODevice{{Major: 8, ReadBPS: -1}}}},
		"limits.io.device: no limit for the disk 8:0":                                     {IO: IO{Devices: []IODevice{{Major: 8}}}},
		`limits.hugepages: "2M/../x" is no size of pages, as 2MB`:                         {Hugepages: map[string]int64{"2M/../x": 1}},
		"limits.hugepages: -1 bytes of pages of 2MB is no size":                           {Hugepages: map[string]int64{"2MB": -1}},
		"limits.pids: 0 is not between 1 and 4194304":                                     {Pids: ptr(0)},
		"limits.pids: 4194305 is not between 1 and 4194304":                               {Pids: ptr(4194305)},
		`limits.cpuset: "3-1" in the list of CPUs ends before it begins`:                  {CPUSet: "3-1"},
		`limits.cpuset: "" in the list of CPUs is no number or range`:                     {CPUSet: "0,,1"},
		`limits.cpuset: "+1" in the list of CPUs is no number or range`:                   {CPUSet: "+1"},
		`limits.cpuset: it is empty`:                                                      {CPUSet: "\n"},
		`limits.cpuset: "9000" in the list of CPUs is above the highest CPU number, 8191`: {CPUSet: "9000"},
	} {
		if _, err := NewPlan(l, on); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestDefaultPids(t *testing.T) {
	for pidMax, want := range map[int64]int64{32768: 8192, 4194304: 16384, 65536: 16384, 301: 75, 2: 1} {
		if got := DefaultPids(pidMax); got != want {
			t.Errorf("pid_max %d: got %d, want %d", pidMax, got, want)
		}
	}
	if n, err := HostDefaultPids(); err != nil || n < 1 || n > 16384 {
		t.Errorf("this host: %d, %v", n, err)
	}
}

// TestPlaces: a file that limits are written to is where they are written, any other one is
// with most of them.
func TestPlaces(t *testing.T) {
	for file, want := range map[string][]Place{
		"cpu.weight": {Beside}, "io.weight": {Beside}, "io.bfq.weight": {Beside}, "memory.min": {Beside, InGuest, InPayload},
		"memory.max": {InGuest}, "cpu.max": {InGuest}, "hugetlb.2MB.max": {InGuest}, "io.max": {InGuest}, "cpu.stat": {InGuest},
	} {
		if got := Places(file); !slices.Equal(got, want) {
			t.Errorf("%s is in %v, want %v", file, got, want)
		}
	}
}

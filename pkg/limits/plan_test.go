package limits

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

func ptr(n int64) *int64 { return &n }

func all() Limits {
	return Limits{Memory: ptr(512 << 20), CPUQuota: &CPUQuota{150000, 100000}, CPUSet: "1,0", Pids: ptr(300)}
}

func TestPlanOnPureV2(t *testing.T) {
	p, err := NewPlan(all(), Controllers{V2: []string{"cpuset", "cpu", "io", "memory", "hugetlb", "pids", "rdma"}})
	if err != nil {
		t.Fatal(err)
	}
	want := &Plan{
		V2: []Knob{
			{"memory", "memory.max", "536870912"}, {"cpu", "cpu.max", "150000 100000"},
			{"cpuset", "cpuset.cpus", "0-1"}, {"pids", "pids.max", "300"},
		},
		Enable: []string{"cpu", "cpuset", "io", "memory", "pids"}, Join: []string{},
	}
	if !reflect.DeepEqual(p, want) {
		t.Errorf("got %+v, want %+v", p, want)
	}
}

func TestPlanOnHybrid(t *testing.T) {
	on := Controllers{V2: []string{"hugetlb"}, V1: []string{"cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids"}}
	p, err := NewPlan(all(), on)
	if err != nil {
		t.Fatal(err)
	}
	want := &Plan{
		V1: []Knob{
			{"memory", "memory.limit_in_bytes", "536870912"},
			{"cpu", "cpu.cfs_period_us", "100000"}, {"cpu", "cpu.cfs_quota_us", "150000"},
			{"cpuset", "cpuset.cpus", "0-1"}, {"pids", "pids.max", "300"},
		},
		Enable: []string{}, Join: []string{"cpu", "cpuset", "memory", "pids"},
	}
	if !reflect.DeepEqual(p, want) {
		t.Errorf("got %+v, want %+v", p, want)
	}
}

func TestPlanOnMixedHost(t *testing.T) {
	p, err := NewPlan(all(), Controllers{V2: []string{"memory", "pids"}, V1: []string{"cpu", "cpuset"}})
	if err != nil {
		t.Fatal(err)
	}
	if len(p.V2) != 2 || len(p.V1) != 3 || !reflect.DeepEqual(p.Join, []string{"cpu", "cpuset"}) {
		t.Errorf("got %+v", p)
	}
}

func TestPlanRefusesWhatNoControllerKeeps(t *testing.T) {
	for field, l := range map[string]Limits{
		"limits.memory":    {Memory: ptr(1 << 20)},
		"limits.cpu_quota": {CPUQuota: &CPUQuota{1000, 100000}},
		"limits.cpuset":    {CPUSet: "0"},
		"limits.pids":      {Pids: ptr(10)},
	} {
		_, err := NewPlan(l, Controllers{V2: []string{"hugetlb"}})
		var fe *FieldError
		if !errors.As(err, &fe) || fe.Field != field || !strings.Contains(err.Error(), "controller") {
			t.Errorf("%s: %v", field, err)
		}
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
	on := Controllers{V2: []string{"cpu", "cpuset", "memory", "pids"}}
	for want, l := range map[string]Limits{
		"limits.memory: 0 bytes is no size":                                               {Memory: ptr(0)},
		"limits.memory: -1 bytes is no size":                                              {Memory: ptr(-1)},
		"limits.cpu_quota: 999 µs is under the smallest quota of 1000":                    {CPUQuota: &CPUQuota{999, 100000}},
		"limits.cpu_quota: a period of 1000001 µs is not between 1000 and 1000000":        {CPUQuota: &CPUQuota{5000, 1000001}},
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

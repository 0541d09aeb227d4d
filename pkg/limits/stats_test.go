package limits

import (
	"errors"
	"io/fs"
	"reflect"
	"syscall"
	"testing"
)

// files reads from kernel text as these files had it.
func files(text map[string]string) ReadFunc {
	return func(name string) (string, error) {
		if s, ok := text[name]; ok {
			return s, nil
		}
		return "", &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
}

// on is a host where these controllers are on v1, all with the same files.
func on(v2, v1 map[string]string, controllers ...string) Files {
	return Files{V2: files(v2), V1: func(controller string) ReadFunc {
		for _, c := range controllers {
			if c == controller {
				return files(v1)
			}
		}
		return nil
	}}
}

// fileOf joins texts into one, to be changed by a test.
func fileOf(parts ...map[string]string) map[string]string {
	all := map[string]string{}
	for _, part := range parts {
		for name, text := range part {
			all[name] = text
		}
	}
	return all
}

const pressureText = "some avg10=1.53 avg60=0.87 avg300=0.20 total=123456\nfull avg10=0.50 avg60=0.00 avg300=0.00 total=1000\n"

func memoryFiles() map[string]string {
	return map[string]string{
		"memory.current": "7090176\n", "memory.max": "33554432\n", "memory.peak": "33562624\n", "memory.high": "max\n", "memory.min": "0\n",
		"memory.swap.current": "4096\n", "memory.swap.max": "max\n",
		"memory.events": "low 0\nhigh 3\nmax 118\noom 2\noom_kill 1\noom_group_kill 0\n",
		"memory.stat":   "anon 5001216\nfile 1216512\nkernel 872344\nkernel_stack 32768\nslab_reclaimable 100\nslab 500\n",
	}
}

func TestMemoryV2(t *testing.T) {
	got, err := on(memoryFiles(), nil).Read(WantMemory)
	want := &Memory{Current: 7090176, Max: ptr(33554432), Peak: ptr(33562624), Swap: ptr(4096), HighHits: ptr(3), MaxHits: ptr(118), OOMs: ptr(2), OOMKills: 1}
	if err != nil || !reflect.DeepEqual(got, Stats{Memory: want}) {
		t.Errorf("got %+v, %v", got.Memory, err)
	}
	want.Anon, want.File, want.Kernel, want.Slab = ptr(5001216), ptr(1216512), ptr(872344), ptr(500)
	if got, err = on(memoryFiles(), nil).Read(WantDetail); err != nil || !reflect.DeepEqual(got, Stats{Memory: want}) {
		t.Errorf("in detail: got %+v, %v", got.Memory, err)
	}
}

func TestMemoryV2WithoutLimitOrPeak(t *testing.T) {
	read := map[string]string{"memory.current": "0\n", "memory.max": "max\n", "memory.events": "oom_kill 0\n"}
	if got, err := on(read, nil).Read(WantMemory); err != nil || !reflect.DeepEqual(got.Memory, &Memory{}) {
		t.Errorf("got %+v, %v", got, err)
	}
	if got, err := on(nil, nil).Read(WantMemory | WantDetail); got.Memory != nil || err != nil {
		t.Errorf("no controller: got %+v, %v", got, err)
	}
}

func TestMemoryV1(t *testing.T) {
	text := map[string]string{
		"memory.usage_in_bytes": "4096\n", "memory.limit_in_bytes": "9223372036854771712\n", "memory.failcnt": "0\n",
		"memory.max_usage_in_bytes": "8192\n", "memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n",
		"memory.memsw.usage_in_bytes": "4096\n", "memory.memsw.limit_in_bytes": "9223372036854771712\n",
		"memory.stat":                "cache 1\nrss 2\nswap 0\nhierarchical_memory_limit 9\ntotal_cache 1024\ntotal_rss 2048\ntotal_rss_huge 0\n",
		"memory.kmem.usage_in_bytes": "1000\n",
	}
	got, err := on(nil, text, "memory").Read(WantMemory)
	want := &Memory{Current: 4096, Peak: ptr(8192), Swap: ptr(0), MaxHits: ptr(0), OOMKills: 3}
	if err != nil || !reflect.DeepEqual(got.Memory, want) {
		t.Errorf("got %+v, %v", got.Memory, err)
	}
	text["memory.limit_in_bytes"], text["memory.memsw.limit_in_bytes"], text["memory.memsw.usage_in_bytes"] = "65536\n", "98304\n", "5096\n"
	want = &Memory{Current: 4096, Peak: ptr(8192), Max: ptr(65536), Swap: ptr(1000), SwapMax: ptr(32768), MaxHits: ptr(0), OOMKills: 3,
		Anon: ptr(2048), File: ptr(1024), Kernel: ptr(1000)}
	if got, err = on(nil, text, "memory").Read(WantDetail); err != nil || !reflect.DeepEqual(got.Memory, want) {
		t.Errorf("in detail: got %+v, %v", got.Memory, err)
	}
	// Started before the hierarchy was mounted, so it is not under the controller.
	if got, err = on(memoryFiles(), nil, "memory").Read(WantMemory); err != nil || got.Memory != nil {
		t.Errorf("in no group: got %+v, %v", got.Memory, err)
	}
}

func TestCPU(t *testing.T) {
	v2 := map[string]string{
		"cpu.stat": "usage_usec 1523\nuser_usec 1000\nsystem_usec 523\nnice_usec 0\nnr_periods 10\nnr_throttled 4\nthrottled_usec 700\n",
		"cpu.max":  "150000 100000\n", "cpuset.cpus.effective": "0-1\n",
	}
	want := &CPU{Usage: 1523, User: 1000, System: 523, Periods: ptr(10), Throttled: ptr(4), ThrottledTime: ptr(700)}
	if got, err := on(v2, nil).Read(WantCPU); err != nil || !reflect.DeepEqual(got, Stats{CPU: want}) {
		t.Errorf("got %+v, %v", got.CPU, err)
	}
	want.Quota, want.CPUs = &CPUQuota{Quota: 150000, Period: 100000}, CPUSet{0, 1}
	if got, err := on(v2, nil).Read(WantCPU | WantQuota | WantCPUs); err != nil || !reflect.DeepEqual(got, Stats{CPU: want}) {
		t.Errorf("with the quota: got %+v, %v", got.CPU, err)
	}
	v2["cpu.max"] = "max 100000\n"
	if got, err := on(v2, nil).Read(WantQuota | WantCPUs); err != nil || !reflect.DeepEqual(got.CPU, &CPU{CPUs: CPUSet{0, 1}}) {
		t.Errorf("without a quota: got %+v, %v", got.CPU, err)
	}
	// Times are those of the v2 group, the rest comes from v1.
	v1 := map[string]string{
		"cpu.stat":         "nr_periods 20\nnr_throttled 5\nthrottled_time 123456789\n",
		"cpu.cfs_quota_us": "50000\n", "cpu.cfs_period_us": "100000\n", "cpuset.effective_cpus": "1\n",
	}
	want.Periods, want.Throttled, want.ThrottledTime = ptr(20), ptr(5), ptr(123456)
	want.Quota, want.CPUs = &CPUQuota{Quota: 50000, Period: 100000}, CPUSet{1}
	if got, err := on(v2, v1, "cpu", "cpuset").Read(WantCPU | WantQuota | WantCPUs); err != nil || !reflect.DeepEqual(got.CPU, want) {
		t.Errorf("on v1: got %+v, %v", got.CPU, err)
	}
	v1["cpu.cfs_quota_us"] = "-1\n"
	if got, err := on(v2, v1, "cpu").Read(WantQuota | WantCPUs); err != nil || !reflect.DeepEqual(got.CPU, &CPU{CPUs: CPUSet{0, 1}}) {
		t.Errorf("without a quota on v1: got %+v, %v", got.CPU, err)
	}
	if _, err := on(nil, nil).Read(WantCPU); err == nil {
		t.Error("a group without cpu.stat is no error")
	}
}

func TestPids(t *testing.T) {
	text := map[string]string{"pids.current": "12\n", "pids.peak": "20\n", "pids.max": "20\n", "pids.events": "max 7\n"}
	for name, f := range map[string]Files{"v2": on(text, nil), "v1": on(nil, text, "pids")} {
		got, err := f.Read(WantPids)
		if want := (&Pids{Current: 12, Peak: ptr(20), Max: ptr(20), Hits: ptr(7)}); err != nil || !reflect.DeepEqual(got, Stats{Pids: want}) {
			t.Errorf("%s: got %+v, %v", name, got.Pids, err)
		}
	}
	got, err := on(map[string]string{"pids.current": "1\n", "pids.max": "max\n"}, nil).Read(WantPids)
	if err != nil || !reflect.DeepEqual(got.Pids, &Pids{Current: 1}) {
		t.Errorf("without a limit: got %+v, %v", got.Pids, err)
	}
	if got, err := on(nil, nil).Read(WantPids); got.Pids != nil || err != nil {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := on(map[string]string{"pids.current": "x\n"}, nil).Read(WantPids); err == nil {
		t.Error("text is no error")
	}
}

func TestIO(t *testing.T) {
	sda, loop := DeviceIO{8, 0, IOCount{4096, 8192, 1, 2}}, DeviceIO{254, 1, IOCount{ReadBytes: 512, ReadOps: 1}}
	want := &IOStats{IOCount{4608, 8192, 2, 2}, []DeviceIO{sda, loop}}
	v2 := map[string]string{"io.stat": "254:1 rbytes=512 wbytes=0 rios=1 wios=0 dbytes=0 dios=0 cost.usage=3\n7:0 \n8:16 rbytes=0 wbytes=0 rios=0 wios=0\n8:0 rbytes=4096 wbytes=8192 rios=1 wios=2 dbytes=0 dios=0\n"}
	if got, err := on(v2, nil).Read(WantIO); err != nil || !reflect.DeepEqual(got, Stats{IO: want}) {
		t.Errorf("got %+v, %v", got.IO, err)
	}
	v1 := map[string]string{
		"blkio.throttle.io_service_bytes_recursive": "254:1 Read 512\n254:1 Write 0\n254:1 Sync 512\n254:1 Total 512\n8:0 Read 4096\n8:0 Write 8192\n8:0 Total 12288\nTotal 12800\n",
		"blkio.throttle.io_serviced_recursive":      "254:1 Read 1\n254:1 Write 0\n254:1 Total 1\n8:0 Read 1\n8:0 Write 2\n8:0 Total 3\nTotal 4\n",
	}
	if got, err := on(nil, v1, "blkio").Read(WantIO); err != nil || !reflect.DeepEqual(got.IO, want) {
		t.Errorf("v1: got %+v, %v", got.IO, err)
	}
	if got, err := on(map[string]string{"io.stat": ""}, nil).Read(WantIO); err != nil || !reflect.DeepEqual(got.IO, &IOStats{}) {
		t.Errorf("nothing yet: got %+v, %v", got.IO, err)
	}
	if got, err := on(nil, nil).Read(WantIO); err != nil || got.IO != nil {
		t.Errorf("no controller: got %+v, %v", got.IO, err)
	}
	uncounted := map[string]string{"blkio.throttle.io_service_bytes_recursive": "Total 0\n", "blkio.throttle.io_serviced_recursive": "Total 0\n"}
	if got, err := on(nil, uncounted, "blkio").Read(WantIO); err != nil || got.IO != nil {
		t.Errorf("v1 without a device: got %+v, %v", got.IO, err)
	}
	for _, text := range []string{"x:0 rbytes=1\n", "8:0 rbytes=-\n"} {
		if _, err := on(map[string]string{"io.stat": text}, nil).Read(WantIO); err == nil {
			t.Errorf("%q is no error", text)
		}
	}
}

func TestPressure(t *testing.T) {
	text := map[string]string{"cpu.pressure": "some avg10=0.00 avg60=0.00 avg300=0.00 total=5\n", "memory.pressure": pressureText, "io.pressure": pressureText}
	got, err := on(text, nil).Read(WantPressure)
	stall := &Stall{Some: Share{1.53, 0.87, 0.2, 123456}, Full: Share{0.5, 0, 0, 1000}}
	if want := (&Pressure{CPU: &Stall{Some: Share{Total: 5}}, Memory: stall, IO: stall}); err != nil || !reflect.DeepEqual(got, Stats{Pressure: want}) {
		t.Errorf("got %+v, %v", got.Pressure, err)
	}
	if got, err := on(nil, nil).Read(WantPressure); err != nil || got.Pressure != nil {
		t.Errorf("a kernel that counts none: got %+v, %v", got.Pressure, err)
	}
	off := Files{V2: func(string) (string, error) { return "", &fs.PathError{Op: "read", Err: syscall.EOPNOTSUPP} }}
	if got, err := off.Read(WantPressure); err != nil || got.Pressure != nil {
		t.Errorf("switched off: got %+v, %v", got.Pressure, err)
	}
	broken := Files{V2: func(string) (string, error) { return "", syscall.EIO }}
	if _, err := broken.Read(WantPressure); !errors.Is(err, syscall.EIO) {
		t.Errorf("got %v", err)
	}
	if _, err := on(fileOf(text, map[string]string{"io.pressure": "none avg10=0\n"}), nil).Read(WantPressure); err == nil {
		t.Error("text is no error")
	}
}

func TestEvents(t *testing.T) {
	for text, want := range map[string][2]bool{
		"populated 1\nfrozen 0\n": {true, false}, "populated 0\nfrozen 1\n": {false, true}, "populated 1\n": {true, false},
	} {
		p, f, err := Events(text)
		if err != nil || [2]bool{p, f} != want {
			t.Errorf("%q: got %v, %v, %v", text, p, f, err)
		}
	}
	if _, _, err := Events("frozen 0\n"); err == nil {
		t.Error("text without populated is no error")
	}
}

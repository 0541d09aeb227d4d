package spec

import (
	"maps"
	"math"
	"path/filepath"
	"slices"
)

// What a guest needs at least, or can't use.
const (
	minMemory = 4 * MiB
	maxPids   = 1 << 22 // the kernel's own PID_MAX_LIMIT
	maxWeight = 10000   // the kernel's own CGROUP_WEIGHT_MAX
	maxScore  = 1000    // OOM_SCORE_ADJ_MAX
)

func (l *Limits) check(fail report) {
	l.checkMemory(fail)
	l.checkCPU(fail)
	if l.Pids != nil {
		checkRange("limits.pids", *l.Pids, 1, maxPids, fail)
	}
	for _, size := range slices.Sorted(maps.Keys(l.Hugepages)) {
		checkHugepages(size, l.Hugepages[size], fail)
	}
	if l.IO.Weight != nil {
		checkRange("limits.io.weight", *l.IO.Weight, 1, maxWeight, fail)
	}
	seen := map[string]bool{}
	for i := range l.IO.Devices {
		d, path := &l.IO.Devices[i], indexPath("limits.io.device", i)
		d.check(path, fail)
		if seen[d.Path] {
			fail(path+".path", "%s is named twice", show(d.Path))
		}
		seen[d.Path] = true
	}
}

func (l *Limits) checkMemory(fail report) {
	for _, limit := range []struct {
		key string
		n   *Bytes
	}{{"limits.memory", l.Memory}, {"limits.memory_high", l.MemoryHigh}} {
		if limit.n != nil && *limit.n < minMemory {
			fail(limit.key, "%s is too little to boot: the least is %s", limit.n, minMemory)
		}
	}
	if l.Memory != nil && l.MemoryMin != nil && *l.MemoryMin > *l.Memory {
		fail("limits.memory_min", "%s is more than limits.memory, %s", l.MemoryMin, l.Memory)
	}
}

func (l *Limits) checkCPU(fail report) {
	if l.CPUQuota != nil {
		if err := l.CPUQuota.check(); err != nil {
			fail("limits.cpu_quota", "%s", err)
		}
	}
	switch {
	case l.CPUBurst == nil:
	case l.CPUQuota == nil:
		fail("limits.cpu_burst", "has no meaning without limits.cpu_quota")
	case *l.CPUBurst > *l.CPUQuota:
		fail("limits.cpu_burst", "%s is more than limits.cpu_quota, %s", l.CPUBurst, l.CPUQuota)
	case l.CPUBurst.check() != nil:
		fail("limits.cpu_burst", "%s", l.CPUBurst.check())
	}
	if l.CPUSet != "" {
		if err := CheckCPUSet(l.CPUSet); err != nil {
			fail("limits.cpuset", "%s", err)
		}
	}
	if l.CPUs != nil {
		checkRange("limits.cpus", *l.CPUs, 1, maxCPUs, fail)
		if l.CPUSet != "" {
			fail("limits.cpus", "can't be together with limits.cpuset: one says how many CPUs, the other which")
		}
	}
	if l.CPUWeight != nil {
		checkRange("limits.cpu_weight", *l.CPUWeight, 1, maxWeight, fail)
	}
}

// checkHugepages: whether the host has pages of that size is not looked at.
func checkHugepages(size string, n Space, fail report) {
	path := joinPath("limits.hugepages", size)
	page, err := ParseBytes(size)
	switch {
	case err != nil || page.String() != size || page&(page-1) != 0 || page < 16*KiB:
		fail(path, "%s is no size of huge pages: it is written as in \"2M\" or \"1G\"", show(size))
	case n != 0 && Bytes(n) < page:
		fail(path, "%s is less than one page of %s", n, page)
	case Bytes(n)%page != 0:
		fail(path, "%s is not a multiple of a page of %s", n, page)
	}
}

func (d *IODevice) check(path string, fail report) {
	switch {
	case d.Path == "":
		fail(path+".path", "is missing: it must be the path of a disk, or of something that lies on it")
	case !filepath.IsAbs(d.Path):
		fail(path+".path", "%s is not an absolute path", show(d.Path))
	}
	if d.Read == nil && d.Write == nil && d.ReadOps == nil && d.WriteOps == nil {
		fail(path, "has no limit: it must have read, write, read_ops or write_ops")
	}
	if d.ReadOps != nil {
		checkRange(path+".read_ops", *d.ReadOps, 1, math.MaxUint32, fail)
	}
	if d.WriteOps != nil {
		checkRange(path+".write_ops", *d.WriteOps, 1, math.MaxUint32, fail)
	}
}

// HugepageName is a size of huge pages as the kernel's control groups name it: 2MB.
func HugepageName(size string) string { return size + "B" }

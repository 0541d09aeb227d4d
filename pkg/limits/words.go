package limits

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
)

// defaultPeriod is the kernel's, in microseconds.
const defaultPeriod = 100000

func quotaV2(l *Limits) []Knob {
	k := Knob{File: "cpu.max", Default: fmt.Sprintf("max %d", defaultPeriod)}
	k.Value = k.Default
	if q := l.CPUQuota; q != nil {
		k.Value = fmt.Sprintf("%d %d", q.Quota, q.Period)
	}
	return []Knob{k}
}

func quotaV1(l *Limits) []Knob {
	q, p := "-1", strconv.Itoa(defaultPeriod)
	if l.CPUQuota != nil {
		q, p = strconv.FormatInt(l.CPUQuota.Quota, 10), strconv.FormatInt(l.CPUQuota.Period, 10)
	}
	return []Knob{
		{File: "cpu.cfs_period_us", Value: p, Default: strconv.Itoa(defaultPeriod)},
		{File: "cpu.cfs_quota_us", Value: q, Default: "-1"},
	}
}

func burst(l *Limits) string {
	if l.CPUQuota == nil {
		return "0"
	}
	return strconv.FormatInt(l.CPUQuota.Burst, 10)
}

// shares is the weight as the kernel itself turns one into v1's unit: 100 is 1024
// (sched_weight_from_cgroup). The least that v1 knows is 2.
func shares(l *Limits) string {
	if l.CPUWeight == nil {
		return "1024"
	}
	return strconv.FormatInt(max(2, (*l.CPUWeight*1024+50)/100), 10)
}

func pidsMax(l *Limits) []Knob {
	return []Knob{{File: "pids.max", Value: orElse(l.Pids, "max"), Default: "max"}}
}

func hugepages(l *Limits, file, none string) []Knob {
	var knobs []Knob
	for _, size := range slices.Sorted(maps.Keys(l.Hugepages)) {
		n := l.Hugepages[size]
		knobs = append(knobs, Knob{File: "hugetlb." + size + "." + file, Value: strconv.FormatInt(n, 10), Default: none})
	}
	return knobs
}

// ioWeightV2 is for both of the kernel's ways to share a disk: io.cost has io.weight, the
// scheduler bfq has a file of its own.
func ioWeightV2(l *Limits) []Knob {
	return []Knob{
		{File: "io.weight", Value: "default " + orElse(l.IO.Weight, "100"), Default: "default 100", Place: Beside, Either: true},
		{File: "io.bfq.weight", Value: "default " + bfq(l), Default: "default 100", Place: Beside, Either: true},
	}
}

func ioWeightV1(l *Limits) []Knob {
	return []Knob{{File: "blkio.bfq.weight", Value: bfq(l), Default: "100"}}
}

// bfq is the weight on the scheduler bfq's scale of 1 to 1000, where 100 is the
// default too: what is above that is pressed into what is left.
func bfq(l *Limits) string {
	if l.IO.Weight == nil {
		return "100"
	}
	w := *l.IO.Weight
	if w > 100 {
		w = 100 + (w-100)*(1000-100)/(maxWeight-100)
	}
	return strconv.FormatInt(w, 10)
}

func (d *IODevice) number() string { return fmt.Sprintf("%d:%d", d.Major, d.Minor) }

func devicesV2(l *Limits) []Knob {
	var knobs []Knob
	for _, d := range l.IO.Devices {
		rate := func(n int64) string {
			if n == 0 {
				return "max"
			}
			return strconv.FormatInt(n, 10)
		}
		line := func(rbps, wbps, riops, wiops string) string {
			return fmt.Sprintf("%s rbps=%s wbps=%s riops=%s wiops=%s", d.number(), rbps, wbps, riops, wiops)
		}
		knobs = append(knobs, Knob{
			File: "io.max", Key: d.number(), Default: line("max", "max", "max", "max"),
			Value: line(rate(d.ReadBPS), rate(d.WriteBPS), rate(d.ReadIOPS), rate(d.WriteIOPS)),
		})
	}
	return knobs
}

func devicesV1(l *Limits) []Knob {
	var knobs []Knob
	for _, d := range l.IO.Devices {
		for _, limit := range []struct {
			file string
			n    int64
		}{
			{"read_bps", d.ReadBPS}, {"write_bps", d.WriteBPS}, {"read_iops", d.ReadIOPS}, {"write_iops", d.WriteIOPS},
		} {
			n := limit.n
			if file := limit.file; file[len(file)-4:] == "iops" {
				n = min(n, math.MaxUint32) // the kernel's counter is of 32 bits
			}
			knobs = append(knobs, Knob{
				File: "blkio.throttle." + limit.file + "_device", Key: d.number(),
				Value: fmt.Sprintf("%s %d", d.number(), n), Default: d.number() + " 0",
			})
		}
	}
	return knobs
}

// memoryMin says it on every level: what a group keeps is at most what the one above it
// keeps, and without the mount option memory_recursiveprot nothing is passed down.
func memoryMin(l *Limits) []Knob {
	var knobs []Knob
	for _, place := range []Place{Beside, InGuest, InPayload} {
		knobs = append(knobs, Knob{File: "memory.min", Value: orElse(l.MemoryMin, "0"), Default: "0", Place: place})
	}
	return knobs
}

// swapV1: memory and swap together, which is what v1 bounds.
func swapV1(l *Limits) []Knob {
	k := Knob{File: "memory.memsw.limit_in_bytes", Value: "-1", Default: "-1"}
	if l.Swap != nil && l.Memory != nil {
		both := *l.Memory + *l.Swap
		if both < 0 { // past what there is
			both = math.MaxInt64
		}
		k.Value = strconv.FormatInt(both, 10)
	}
	return []Knob{k}
}

package limits

import (
	"slices"
	"strconv"
)

// row is one limit: what it is in the words of both versions of control groups. The
// functions for the knobs give every one of them, with its default if the limit isn't
// set.
type row struct {
	field        string // the key in the configuration
	controller   string
	v1Controller string // if it has another name there
	isSet        func(*Limits) bool
	check        func(*Limits) error // of one that is set
	v2           func(*Limits) []Knob
	v1           func(*Limits) []Knob // nil: v1 has no such limit
	v1Needs      func(*Limits) error  // what else v1 wants; nil: nothing
}

// rows is the table of all limits.
//
// Its order is that of a start, and but for memory that of a change, see [NewChange].
func rows() []row {
	return []row{
		cpuSetRow("limits.cpuset", func(l *Limits) bool { return l.CPUSet != "" && l.CPUs == 0 }),
		cpuSetRow("limits.cpus", func(l *Limits) bool { return l.CPUs != 0 }),
		{
			field: "limits.cpu_quota", controller: "cpu",
			isSet: func(l *Limits) bool { return l.CPUQuota != nil }, check: checkQuota,
			v2: quotaV2, v1: quotaV1,
		},
		{
			field: "limits.cpu_burst", controller: "cpu",
			isSet: func(l *Limits) bool { return l.CPUQuota != nil && l.CPUQuota.Burst != 0 }, check: checkBurst,
			v2: func(l *Limits) []Knob { return []Knob{{File: "cpu.max.burst", Value: burst(l), Default: "0"}} },
			v1: func(l *Limits) []Knob { return []Knob{{File: "cpu.cfs_burst_us", Value: burst(l), Default: "0"}} },
		},
		{
			field: "limits.cpu_weight", controller: "cpu",
			isSet: func(l *Limits) bool { return l.CPUWeight != nil },
			check: func(l *Limits) error { return checkWeight(*l.CPUWeight) },
			v2: func(l *Limits) []Knob {
				return []Knob{{File: "cpu.weight", Value: orElse(l.CPUWeight, "100"), Default: "100", Place: Beside}}
			},
			v1: func(l *Limits) []Knob { return []Knob{{File: "cpu.shares", Value: shares(l), Default: "1024"}} },
		},
		{
			field: "limits.pids", controller: "pids",
			isSet: func(l *Limits) bool { return l.Pids != nil }, check: checkPids,
			v2: pidsMax, v1: pidsMax,
		},
		{
			field: "limits.hugepages", controller: "hugetlb",
			isSet: func(l *Limits) bool { return len(l.Hugepages) > 0 }, check: checkHugepages,
			v2: func(l *Limits) []Knob { return hugepages(l, "max", "max") },
			v1: func(l *Limits) []Knob { return hugepages(l, "limit_in_bytes", "-1") },
		},
		{
			field: "limits.io.weight", controller: "io", v1Controller: "blkio",
			isSet: func(l *Limits) bool { return l.IO.Weight != nil },
			check: func(l *Limits) error { return checkWeight(*l.IO.Weight) },
			v2:    ioWeightV2, v1: ioWeightV1,
		},
		{
			field: "limits.io.device", controller: "io", v1Controller: "blkio",
			isSet: func(l *Limits) bool { return len(l.IO.Devices) > 0 }, check: checkDevices,
			v2: devicesV2, v1: devicesV1,
		},
		{
			field: "limits.memory_min", controller: "memory",
			isSet: func(l *Limits) bool { return l.MemoryMin != nil },
			check: func(l *Limits) error { return checkAmount(l.MemoryMin) },
			v2:    memoryMin,
		},
		{
			// v1's memory.soft_limit_in_bytes isn't this: it takes memory back only when the
			// whole host lacks some, and slows nobody down.
			field: "limits.memory_high", controller: "memory",
			isSet: func(l *Limits) bool { return l.MemoryHigh != nil },
			check: func(l *Limits) error { return checkAmount(l.MemoryHigh) },
			v2: func(l *Limits) []Knob {
				return []Knob{{File: "memory.high", Value: orElse(l.MemoryHigh, "max"), Default: "max"}}
			},
		},
		{
			field: "limits.memory", controller: "memory",
			isSet: func(l *Limits) bool { return l.Memory != nil },
			check: func(l *Limits) error { return checkAmount(l.Memory) },
			v2: func(l *Limits) []Knob {
				return []Knob{{File: "memory.max", Value: orElse(l.Memory, "max"), Default: "max"}}
			},
			v1: func(l *Limits) []Knob {
				return []Knob{{File: "memory.limit_in_bytes", Value: orElse(l.Memory, "-1"), Default: "-1"}}
			},
		},
		{
			field: "limits.swap", controller: "memory",
			isSet: func(l *Limits) bool { return l.Swap != nil }, check: checkSwap,
			v2: func(l *Limits) []Knob {
				return []Knob{{File: "memory.swap.max", Value: orElse(l.Swap, "max"), Default: "max"}}
			},
			v1: swapV1, v1Needs: swapNeedsMemory,
		},
	}
}

// cpuSetRow is for both ways to say which CPUs a guest has: the file is the same.
func cpuSetRow(field string, isSet func(*Limits) bool) row {
	knobs := func(l *Limits) []Knob {
		value := ""
		if set, err := ParseCPUSet(l.CPUSet); err == nil {
			value = set.String()
		}
		return []Knob{{File: "cpuset.cpus", Value: value}}
	}
	return row{field: field, controller: "cpuset", isSet: isSet, check: checkCPUs, v2: knobs, v1: knobs}
}

// orElse is a number as text.
func orElse(n *int64, none string) string {
	if n == nil {
		return none
	}
	return strconv.FormatInt(*n, 10)
}

// Places says in which of a guest's groups of v2 a file is that limits are written to, as
// memory.min on every level; those above come first. All other files are of InGuest.
func Places(file string) []Place {
	places := map[Place]bool{}
	for _, r := range rows() {
		for _, k := range r.v2(&Limits{}) {
			if k.File == file {
				places[k.Place] = true
			}
		}
	}
	all := slices.DeleteFunc([]Place{Beside, InGuest, InPayload}, func(p Place) bool { return !places[p] })
	if len(all) == 0 {
		return []Place{InGuest}
	}
	return all
}

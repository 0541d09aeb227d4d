package guest

import (
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/sysct/sysct/pkg/limits"
)

// Usage is what a running guest uses. Bytes, seconds, counts. Counters begin with the
// guest's life. What no controller of this host counts is nil, as is a limit that there
// isn't.
type Usage struct {
	Memory       *int64 `json:"memory"` // page cache included
	MemoryPeak   *int64 `json:"memory_peak"`
	MemoryMax    *int64 `json:"memory_max"`
	MemoryHigh   *int64 `json:"memory_high"`   // above it the guest is slowed
	MemoryMin    *int64 `json:"memory_min"`    // is never taken from it
	MemoryAnon   *int64 `json:"memory_anon"`   // the processes' own
	MemoryFile   *int64 `json:"memory_file"`   // of files: page cache, tmpfs, shared memory
	MemoryKernel *int64 `json:"memory_kernel"` // the kernel's, for this guest
	MemorySlab   *int64 `json:"memory_slab"`   // of that in slabs
	Swap         *int64 `json:"swap"`
	SwapMax      *int64 `json:"swap_max"`

	HighHits *int64 `json:"memory_high_hits"` // how often it was slowed
	MaxHits  *int64 `json:"memory_max_hits"`  // how often it met its limit
	OOMs     *int64 `json:"ooms"`             // how often nothing could be given back
	OOMKills *int64 `json:"oom_kills"`        // processes that were killed for it

	CPU           *float64 `json:"cpu"`
	CPUUser       *float64 `json:"cpu_user"`
	CPUSystem     *float64 `json:"cpu_system"`
	CPUQuota      *float64 `json:"cpu_quota"` // in CPUs: 0.5 is half of one
	CPUs          *string  `json:"cpus"`      // those that it may run on, as 0-1,3
	CPUPeriods    *int64   `json:"cpu_periods"`
	CPUThrottled  *int64   `json:"cpu_throttled"` // periods in which the quota ran out
	ThrottledTime *float64 `json:"cpu_throttled_time"`

	Pids     *int64 `json:"pids"` // processes and threads
	PidsPeak *int64 `json:"pids_peak"`
	PidsMax  *int64 `json:"pids_max"`
	PidsHits *int64 `json:"pids_hits"` // forks that failed because of the limit

	IO       *IOUsage  `json:"io"`
	Network  *NetUsage `json:"network"` // nil: it has none of its own, or isn't asked for
	Pressure *Pressure `json:"pressure"`

	CPUWeight *int64           `json:"cpu_weight"` // nil: the usual 100
	IOWeight  *int64           `json:"io_weight"`  // nil: the usual 100
	IOLimits  []DeviceLimits   `json:"io_limits"`
	Hugepages []HugepagesUsage `json:"hugepages"` // of each size that there is a limit or use of
}

// DeviceLimits is what a guest may use of a block device in a second, in bytes and
// operations; 0 is no limit.
type DeviceLimits struct {
	Device   string `json:"device"` // its numbers, as 8:0
	Name     string `json:"name"`   // the kernel's, as sda; empty if it is gone
	Read     int64  `json:"read"`
	Write    int64  `json:"write"`
	ReadOps  int64  `json:"read_ops"`
	WriteOps int64  `json:"write_ops"`
}

// HugepagesUsage is memory in huge pages of one size, in bytes.
type HugepagesUsage struct {
	Size string `json:"size"` // the kernel's name of it, as 2MB
	Used int64  `json:"used"`
	Max  *int64 `json:"max"`
}

// IOUsage is what was read from and written to block devices.
type IOUsage struct {
	IOCount
	Devices []DeviceUsage `json:"devices"`
}

// IOCount is bytes and operations.
type IOCount struct {
	ReadBytes  int64 `json:"read_bytes"`
	WriteBytes int64 `json:"write_bytes"`
	ReadOps    int64 `json:"read_ops"`
	WriteOps   int64 `json:"write_ops"`
}

// DeviceUsage is one block device's.
type DeviceUsage struct {
	Device string `json:"device"` // its numbers, as 8:0
	Name   string `json:"name"`   // the kernel's, as sda; empty if it is gone
	IOCount
}

// Pressure is for how much of the time the guest's processes waited for a resource.
type Pressure struct {
	CPU    *Stall `json:"cpu"`
	Memory *Stall `json:"memory"`
	IO     *Stall `json:"io"`
}

// Stall is one resource's: some of the processes waited, or all that could run.
type Stall struct {
	Some StallShare `json:"some"`
	Full StallShare `json:"full"`
}

// StallShare is the part of the last 10, 60 and 300 seconds in percent, and the sum.
type StallShare struct {
	Avg10  float64 `json:"avg10"`
	Avg60  float64 `json:"avg60"`
	Avg300 float64 `json:"avg300"`
	Total  float64 `json:"total"`
}

// PidsReached says that there have been as many processes as PidsMax, which isn't nil then.
// Forks that an earlier, lower limit refused don't count where the peak is known.
func (u *Usage) PidsReached() bool {
	switch {
	case u.PidsMax == nil:
		return false
	case u.PidsPeak != nil:
		return *u.PidsPeak >= *u.PidsMax
	}
	return u.PidsHits != nil && *u.PidsHits > 0
}

// newUsage turns the kernel's figures into those of Info.
func newUsage(stats *limits.Stats) *Usage {
	u := &Usage{}
	u.cpu(stats.CPU)
	u.memory(stats.Memory)
	if p := stats.Pids; p != nil {
		u.Pids, u.PidsPeak, u.PidsMax, u.PidsHits = &p.Current, p.Peak, p.Max, p.Hits
	}
	if io := stats.IO; io != nil {
		u.IO = &IOUsage{IOCount: IOCount(io.IOCount), Devices: []DeviceUsage{}}
		for _, d := range io.Devices {
			id := deviceID(d.Major, d.Minor)
			u.IO.Devices = append(u.IO.Devices, DeviceUsage{Device: id, Name: deviceName(id), IOCount: IOCount(d.IOCount)})
		}
	}
	if p := stats.Pressure; p != nil {
		u.Pressure = &Pressure{CPU: newStall(p.CPU), Memory: newStall(p.Memory), IO: newStall(p.IO)}
	}
	u.bounds(stats)
	return u
}

// bounds are the limits that no other figure has.
func (u *Usage) bounds(stats *limits.Stats) {
	for _, p := range stats.Hugepages {
		u.Hugepages = append(u.Hugepages, HugepagesUsage{p.Size, p.Current, p.Max})
	}
	b := stats.Bounds
	if b == nil {
		return
	}
	u.CPUWeight, u.IOWeight = b.CPUWeight, b.IO.Weight
	for _, d := range b.IO.Devices {
		id := deviceID(d.Major, d.Minor)
		u.IOLimits = append(u.IOLimits, DeviceLimits{id, deviceName(id), d.ReadBPS, d.WriteBPS, d.ReadIOPS, d.WriteIOPS})
	}
}

func (u *Usage) cpu(c *limits.CPU) {
	if c == nil {
		return
	}
	u.CPU, u.CPUUser, u.CPUSystem = seconds(&c.Usage), seconds(&c.User), seconds(&c.System)
	u.CPUPeriods, u.CPUThrottled, u.ThrottledTime = c.Periods, c.Throttled, seconds(c.ThrottledTime)
	if c.Quota != nil {
		cpus := float64(c.Quota.Quota) / float64(c.Quota.Period)
		u.CPUQuota = &cpus
	}
	if len(c.CPUs) > 0 {
		cpus := c.CPUs.String()
		u.CPUs = &cpus
	}
}

func (u *Usage) memory(m *limits.Memory) {
	if m == nil {
		return
	}
	u.Memory, u.MemoryPeak, u.MemoryMax, u.MemoryHigh, u.MemoryMin = &m.Current, m.Peak, m.Max, m.High, m.Min
	u.MemoryAnon, u.MemoryFile, u.MemoryKernel, u.MemorySlab = m.Anon, m.File, m.Kernel, m.Slab
	u.Swap, u.SwapMax = m.Swap, m.SwapMax
	u.HighHits, u.MaxHits, u.OOMs, u.OOMKills = m.HighHits, m.MaxHits, m.OOMs, &m.OOMKills
}

// seconds of µs.
func seconds(us *int64) *float64 {
	if us == nil {
		return nil
	}
	s := (time.Duration(*us) * time.Microsecond).Seconds()
	return &s
}

func newStall(s *limits.Stall) *Stall {
	if s == nil {
		return nil
	}
	share := func(s limits.Share) StallShare {
		return StallShare{s.Avg10, s.Avg60, s.Avg300, *seconds(&s.Total)}
	}
	return &Stall{share(s.Some), share(s.Full)}
}

func deviceID(major, minor uint32) string {
	return strconv.FormatUint(uint64(major), 10) + ":" + strconv.FormatUint(uint64(minor), 10)
}

// deviceName is the kernel's name of a block device. Source: sysfs(5), /sys/dev/block.
func deviceName(id string) string {
	target, err := os.Readlink("/sys/dev/block/" + id)
	if err != nil {
		return ""
	}
	return filepath.Base(target)
}

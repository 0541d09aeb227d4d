package views

import "time"

// Need says which part of a Snapshot is wanted. Parts can be combined.
type Need uint

// The parts of a Snapshot. Uptime and BootTime are always there.
const (
	NeedMemory  Need = 1 << iota // Memory
	NeedCPUs                     // CPUs
	NeedTimes                    // Times, and CPUs
	NeedTasks                    // Tasks
	NeedLoad                     // Load, and Tasks
	NeedDisks                    // Disks
	NeedCPUInfo                  // CPUInfo, and CPUs
)

// Snapshot is what a guest may know of its machine at one moment.
type Snapshot struct {
	Uptime   time.Duration // since the guest's boot, by its time namespace
	BootTime int64         // when that was, in seconds since 1970
	Memory   Memory
	CPUs     []int    // the host's numbers of the guest's CPUs: the guest sees them numbered from 0
	CPUInfo  [][]byte // for each of CPUs its paragraph of the host's /proc/cpuinfo, without the empty line
	Times    Times
	Tasks    Tasks
	Load     [3]uint64 // the averages of 1, 5, 15 minutes, with loadShift bits of fraction
	Disks    []Disk
}

// Tasks counts the guest's processes and threads.
type Tasks struct {
	Running uint64 // running or waiting for a CPU
	Blocked uint64 // in uninterruptible sleep
	Total   uint64
	LastPID uint64 // the highest number given in the guest's pid namespace, as far as it was seen
}

// Disk is what the guest has read from and written to a block device.
type Disk struct {
	Major, Minor           uint32
	Name                   string
	ReadBytes, WriteBytes  uint64
	Reads, Writes          uint64
	DiscardBytes, Discards uint64
}

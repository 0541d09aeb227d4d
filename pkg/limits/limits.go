// Package limits says what a guest may use of its host: memory, CPU time, CPUs,
// processes, huge pages and block devices. It turns those limits into a plan of values for cgroup files,
// reads the figures that the kernel keeps, and declares the small interfaces
// through which the rest of the program makes and uses a guest's groups.
//
// It is pure: it makes no system call but to read /proc/sys/kernel/pid_max.
// What touches a cgroup tree is in its implementations (limits/cgroupfs); the
// choice between them is made in limits/detect; rules for devices are in
// limits/devices. It is not the place for the syntax of the configuration.
package limits

import "errors"

// Limits is what a guest may use. The zero value limits nothing.
type Limits struct {
	// Memory is the most memory in bytes, page cache included; nil is no limit.
	Memory *int64 `json:"memory,omitempty"`
	// Swap is the most swap space in bytes, beside Memory; 0 is none, nil is no limit.
	Swap *int64 `json:"swap,omitempty"`
	// MemoryHigh is where the kernel begins to slow the guest down, in bytes.
	MemoryHigh *int64 `json:"memory_high,omitempty"`
	// MemoryMin is what the kernel never takes from the guest, in bytes.
	MemoryMin *int64 `json:"memory_min,omitempty"`
	// CPUs is how many CPUs the guest has; 0 is all. Which ones is chosen when they are
	// given, see [Choose].
	CPUs int `json:"cpus,omitempty"`
	// CPUSet lists the CPUs that the guest may run on, as "0-1,3"; empty is all. With
	// CPUs it is what was chosen: a caller leaves it empty.
	CPUSet string `json:"cpuset,omitempty"`
	// CPUQuota is the most CPU time in a period; nil is no limit.
	CPUQuota *CPUQuota `json:"cpu_quota,omitempty"`
	// CPUWeight is the guest's share of contended CPUs, 1 to 10,000; nil is 100.
	CPUWeight *int64 `json:"cpu_weight,omitempty"`
	// Pids is the most processes and threads at a time; nil is no limit.
	Pids *int64 `json:"pids,omitempty"`
	// PidsDefault says that Pids is the default and not the user's own word: a
	// host that cannot enforce it is then warned about and not refused.
	PidsDefault bool `json:"pids_default,omitempty"`
	// Hugepages is the most memory in huge pages of each size, both in bytes, the size
	// as the kernel names it: "2MB".
	Hugepages map[string]int64 `json:"hugepages,omitempty"`
	// IO is what the guest may use of block devices.
	IO IO `json:"io,omitzero"`
}

// CPUQuota is the CPU time that a guest gets in each period, both in
// microseconds: 150,000 of 100,000 is one CPU and a half. Burst is the time that
// it may save up for later periods.
type CPUQuota struct {
	Quota  int64 `json:"quota"`
	Period int64 `json:"period"`
	Burst  int64 `json:"burst,omitempty"`
}

// IO is what a guest may use of block devices.
type IO struct {
	// Weight is the guest's share of contended devices, 1 to 10,000; nil is 100.
	Weight *int64 `json:"weight,omitempty"`
	// Devices are those with limits, each once.
	Devices []IODevice `json:"devices,omitempty"`
}

// IODevice limits what a guest reads from and writes to one whole disk, in bytes and
// operations a second; 0 is no limit.
type IODevice struct {
	Major     uint32 `json:"major"`
	Minor     uint32 `json:"minor"`
	ReadBPS   int64  `json:"read_bps,omitempty"`
	WriteBPS  int64  `json:"write_bps,omitempty"`
	ReadIOPS  int64  `json:"read_iops,omitempty"`
	WriteIOPS int64  `json:"write_iops,omitempty"`
}

// FieldError is a limit that this host cannot keep or that makes no sense: the
// user's to mend, where any other error is the host's.
type FieldError struct {
	Field string // the key in the configuration, as "limits.memory"
	Err   error
}

// Error is "limits.memory: why".
func (e *FieldError) Error() string { return e.Field + ": " + e.Err.Error() }

// Unwrap gives the reason.
func (e *FieldError) Unwrap() error { return e.Err }

// ErrTimeout is in the error of a freeze or thaw that did not come about in time.
var ErrTimeout = errors.New("timed out")

// Package limits says what a guest may use of its host: memory, CPU time, CPUs
// and processes. It turns those limits into a plan of values for cgroup files,
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
	// CPUQuota is the most CPU time in a period; nil is no limit.
	CPUQuota *CPUQuota `json:"cpu_quota,omitempty"`
	// CPUSet lists the CPUs that the guest may run on, as "0-1,3"; empty is all.
	CPUSet string `json:"cpuset,omitempty"`
	// Pids is the most processes and threads at a time; nil is no limit.
	Pids *int64 `json:"pids,omitempty"`
	// PidsDefault says that Pids is the default and not the user's own word: a
	// host that cannot enforce it is then warned about and not refused.
	PidsDefault bool `json:"pids_default,omitempty"`
}

// CPUQuota is the CPU time that a guest gets in each period, both in
// microseconds: 150,000 of 100,000 is one CPU and a half.
type CPUQuota struct {
	Quota  int64 `json:"quota"`
	Period int64 `json:"period"`
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

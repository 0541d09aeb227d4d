package context

import (
	"fmt"
	"slices"

	"github.com/sysct/sysct/pkg/context/ns"
	"github.com/sysct/sysct/pkg/hooks"
	"github.com/sysct/sysct/pkg/images/store"
	"github.com/sysct/sysct/pkg/limits/devices"
	"github.com/sysct/sysct/pkg/vnet/space"
)

// Spec is everything that a guest's context is made from.
type Spec struct {
	Name      string            `json:"name"`
	Hostname  string            `json:"hostname"`
	MachineID string            `json:"machine_id"` // 32 hex digits
	IDs       ns.IDRange        `json:"ids"`
	Root      store.Layout      `json:"root"`
	Init      []string          `json:"init,omitempty"` // nil: the first of the usual places
	Env       map[string]string `json:"env,omitempty"`  // the user's, beside the contract's
	Net       space.Plan        `json:"net"`
	Resolv    string            `json:"resolv,omitempty"` // of /etc/resolv.conf; "": it isn't written
	TTYs      int               `json:"ttys"`
	Nesting   bool              `json:"nesting,omitempty"`
	Devices   []Device          `json:"devices,omitempty"`
	Sysinfo   bool              `json:"sysinfo,omitempty"` // sysinfo(2) is answered by who has the listener

	// Views are what is shown in place of the kernel's own, as paths in the guest
	// ("proc/meminfo"), Pressure the like for /proc/pressure.
	Views    []string `json:"views,omitempty"`
	Pressure bool     `json:"pressure,omitempty"`

	Rlimits     []Rlimit `json:"rlimits,omitempty"`       // of init, instead of the caller's own
	OOMScoreAdj int      `json:"oom_score_adj,omitempty"` // of init, see proc_pid_oom_score_adj(5)

	Hooks       hooks.Plan   `json:"hooks"`
	Credentials []Credential `json:"credentials,omitempty"`
}

// Device is a device of the host that the guest may use.
type Device struct {
	Rule devices.Rule `json:"rule"`
	Name string       `json:"name,omitempty"` // of its node, below /dev; empty: it has none
	Path string       `json:"path,omitempty"` // of this system's own node; empty: not known
	Mode uint32       `json:"mode,omitempty"`
	UID  uint32       `json:"uid,omitempty"` // the guest's
	GID  uint32       `json:"gid,omitempty"`
}

// DeviceRules are what the guest's devices are held to. With the host's ids a node that the
// guest made would be the host's console: its own is a terminal of its own, with other numbers.
func (s *Spec) DeviceRules() []devices.Rule {
	rules := devices.Default()
	if s.IDs.Host() {
		rules = slices.DeleteFunc(rules, func(r devices.Rule) bool { return r.Type == devices.Char && r.Major == 5 && r.Minor == 1 })
	}
	for _, d := range s.allDevices() {
		rules = append(rules, d.Rule)
	}
	return rules
}

// allDevices are the user's and those that come with nesting.
func (s *Spec) allDevices() []Device {
	list := slices.Clone(s.Devices)
	if s.Nesting {
		const all = devices.Read | devices.Write | devices.Mknod
		for _, d := range []Device{
			{Rule: devices.Rule{Type: devices.Char, Major: 10, Minor: 229, Access: all}, Name: "fuse", Mode: 0o666},
			{Rule: devices.Rule{Type: devices.Char, Major: 10, Minor: 200, Access: all}, Name: "net/tun", Mode: 0o666},
		} {
			if !slices.ContainsFunc(list, func(o Device) bool { return o.Name == d.Name }) {
				list = append(list, d)
			}
		}
	}
	return list
}

// Credential is a secret for the guest's programs. It is in no log and no error.
type Credential struct {
	Name string `json:"name"` // a file's
	Data []byte `json:"data"`
}

// Rlimit is a resource limit of a process, see getrlimit(2).
type Rlimit struct {
	Name     string `json:"name"` // for messages
	Resource int    `json:"resource"`
	Soft     uint64 `json:"soft"`
	Hard     uint64 `json:"hard"`
}

// Guest is a context whose init is about to run or runs. The descriptors are the
// caller's; all are close-on-exec.
type Guest struct {
	Pid      int
	PidFD    int
	Console  int   // pty master, nonblocking
	TTYs     []int // pty masters, nonblocking; the guest's pts/1, pts/2, …
	Notify   int   // datagram socket, nonblocking: what init says by sd_notify(3)
	Listener int   // seccomp listener or -1
}

// StepError is a step of the start that failed: which one, and the system call
// and the path where they are known.
type StepError struct {
	Step string
	Call string
	Path string
	Err  error
}

func (e *StepError) Error() string {
	switch {
	case e.Call != "" && e.Path != "":
		return fmt.Sprintf("%s: %s %s: %v", e.Step, e.Call, e.Path, e.Err)
	case e.Call != "":
		return fmt.Sprintf("%s: %s: %v", e.Step, e.Call, e.Err)
	}
	return fmt.Sprintf("%s: %v", e.Step, e.Err)
}

func (e *StepError) Unwrap() error { return e.Err }

package guest

import (
	"time"

	"github.com/sysct/sysct/pkg/guest/state"
)

// Info is what is known of a guest. In JSON what is unknown is null or absent,
// sizes are bytes, times RFC 3339 in UTC, durations seconds, states upper case.
type Info struct {
	Name       string      `json:"name"`
	State      state.State `json:"state"`
	Pid        *int        `json:"pid"`         // init's, on the host
	MonitorPid *int        `json:"monitor_pid"` // nil: no monitor runs
	Ready      *bool       `json:"ready"`       // nil: not running
	Template   *string     `json:"template"`
	Image      *string     `json:"image"`
	Backend    *string     `json:"backend"`
	Rootfs     string      `json:"rootfs"`
	CreatedAt  *time.Time  `json:"created_at"`
	StartedAt  *time.Time  `json:"started_at"`
	Boots      *int        `json:"boots"` // of this life
	IDBase     *uint32     `json:"id_base"`
	IDSize     *uint32     `json:"id_size"`
	MachineID  *string     `json:"machine_id"`
	Autostart  *bool       `json:"autostart"` // starts with the host; nil: not asked for, or unknown
	Groups     []string    `json:"groups"`
	Addresses  []Address   `json:"addresses"` // nil: it has no network of its own, or doesn't run
	Published  []Published `json:"published"` // nil: it doesn't run, or unknown
	Usage      *Usage      `json:"usage"`
	Exit       *ExitInfo   `json:"exit"`  // how its last life ended
	Error      *string     `json:"error"` // why the guest is broken
}

// Use is Usage, or one without any figure if the guest isn't running.
func (info *Info) Use() *Usage {
	if info.Usage == nil {
		return &Usage{}
	}
	return info.Usage
}

// ExitInfo is how a life of a guest ended.
type ExitInfo struct {
	Code   *int       `json:"code"`
	Signal *string    `json:"signal"`
	Reason string     `json:"reason"` // poweroff, killed, oom, exited, …
	At     *time.Time `json:"at"`
}

package monitor

import (
	"time"

	sysctx "github.com/sysct/sysct/pkg/context"
	"github.com/sysct/sysct/pkg/limits"
)

// planVersion is the version of the plan's schema.
const planVersion = 1

// maxPlan bounds a plan, in bytes.
const maxPlan = 4 << 20

// Plan is all that a monitor needs to know to keep a guest. During the guest's life
// only what is in a [Change] changes.
type Plan struct {
	Version     int           `json:"version"` // set by Order.Begin
	Name        string        `json:"name"`
	Base        string        `json:"base"`            // name of the instance's control groups, as "sysct"
	Group       string        `json:"group,omitempty"` // the guest's group below Base; empty: Name
	RunDir      string        `json:"run_dir"`         // of the instance
	LogDir      string        `json:"log_dir"`
	Context     sysctx.Spec   `json:"context"`
	Limits      limits.Limits `json:"limits"`
	Ephemeral   bool          `json:"ephemeral,omitempty"` // destroy the guest when it has stopped
	Restart     string        `json:"restart"`             // RestartNo or RestartOnFailure
	Halt        string        `json:"halt"`                // "auto" or the name of a signal
	ReadyCmd    []string      `json:"ready_cmd"`           // empty: readiness is told by init or seen on the console
	StopTimeout time.Duration `json:"stop_timeout"`        // for a stop that doesn't say; 0: it is killed at once; negative: DefaultStopTimeout
	LogSize     int64         `json:"log_size"`            // bytes of a console log file; 0: the default of package console
	LogFiles    int           `json:"log_files"`           // 0: the default of package console
	BootID      string        `json:"boot_id"`             // the host's
	// Config is the configuration that the plan was made of: the keys that aren't at
	// their defaults. It says nothing to a monitor, but to those who compare. nil: the
	// plan is an older program's, which didn't note it.
	Config map[string]string `json:"config"`
	// Recover allows a start while processes of the guest run that no monitor
	// keeps: they are ended first, by a halt and then a kill.
	Recover bool `json:"recover,omitempty"`
	// ScopeCmd has the host's service manager make the group before each boot, see scope;
	// empty: it is made here.
	ScopeCmd []string `json:"scope_cmd,omitempty"`
}

// groupName is the guest's group below Base.
func (p *Plan) groupName() string {
	if p.Group != "" {
		return p.Group
	}
	return p.Name
}

// Restart policies.
const (
	RestartNo        = "no"
	RestartOnFailure = "on-failure"
)

// HaltAuto finds the way to halt a guest from its init.
const HaltAuto = "auto"

// DefaultStopTimeout is how long a guest's own shutdown may take.
const DefaultStopTimeout = 60 * time.Second

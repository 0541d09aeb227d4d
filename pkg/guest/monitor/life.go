package monitor

import (
	"time"

	"github.com/sysct/sysct/pkg/guest/state"
	"github.com/sysct/sysct/pkg/limits"
)

// Phase is what a monitor is doing with its guest. It is finer than the state
// that users see, and says what a successor has to finish.
type Phase string

// The phases, in their order.
const (
	PhaseNew      Phase = "new"      // nothing is there yet
	PhaseRecover  Phase = "recover"  // processes that nobody keeps are being ended
	PhaseLaunch   Phase = "launch"   // groups and context are being made
	PhaseStored   Phase = "stored"   // the context is complete, init not yet executed
	PhaseUp       Phase = "up"       // init was executed and hasn't been seen to end
	PhaseCleanup  Phase = "cleanup"  // groups and mounts of a boot are being removed
	PhaseWait     Phase = "wait"     // until it is time to start again
	PhaseFinish   Phase = "finish"   // the last things are being removed
	PhaseFinished Phase = "finished" // the monitor may exit
)

// Life is the state of one life of a guest, from `start` to its last end, as it
// outlives a monitor. Durations since an arbitrary moment are CLOCK_MONOTONIC's:
// they mean the same in every process until the host reboots.
type Life struct {
	Phase     Phase       `json:"phase"`
	State     state.State `json:"state"`
	Pid       int         `json:"pid"`
	Boots     int         `json:"boots"`
	StartedAt time.Time   `json:"started_at"`
	Ready     bool        `json:"ready"`
	Exit      *state.Exit `json:"exit,omitempty"`

	// Overdue says that the service manager was told of a readiness that isn't there.
	Overdue bool `json:"overdue,omitempty"`

	// BeganAt is when this boot was begun.
	BeganAt time.Time `json:"began_at"`
	// ExecAt is when init of this boot was executed, monotonic.
	ExecAt time.Duration `json:"exec_at"`
	// OOMKills is memory.events' count at that time.
	OOMKills int64 `json:"oom_kills"`
	// Noted are the counts of this boot's groups that events were written of.
	Noted limits.Counts `json:"noted,omitzero"`
	// Shown is how much the console had shown before this boot, in bytes.
	Shown uint64 `json:"shown,omitempty"`
	// Sent is the last signal that sysct sent to init of this boot; 0: none.
	Sent int `json:"sent,omitempty"`
	// Notified says that init uses the notify socket: a login prompt is then
	// no sign of readiness.
	Notified bool `json:"notified,omitempty"`
	// Status and ExitStatus are init's STATUS= and EXIT_STATUS=.
	Status     string `json:"status,omitempty"`
	ExitStatus *int   `json:"exit_status,omitempty"`

	// Heard says that the guest's reboot(2) is heard of, Called what it was: one of the
	// Reason constants of package state. Entered: who came from outside isn't heard.
	Heard   bool   `json:"heard,omitempty"`
	Called  string `json:"called,omitempty"`
	Entered bool   `json:"entered,omitempty"`

	// Frozen says that the guest's processes are frozen, whatever State says.
	Frozen bool `json:"frozen,omitempty"`

	// Held says that a client had the guest frozen for the time of its connection.
	Held bool `json:"held,omitempty"`

	// Stop is the stop that is under way; nil: none.
	Stop *Stop `json:"stop,omitempty"`
	// Failures are when the guest failed and was started again.
	Failures []time.Duration `json:"failures,omitempty"`
	// Final says, in PhaseCleanup, that no boot follows.
	Final bool `json:"final,omitempty"`
	// Again is when the next boot begins, if one follows; 0: at once.
	Again time.Duration `json:"again,omitempty"`
}

// Stop is a stop that is under way. No boot follows it.
type Stop struct {
	Asked  bool          `json:"asked,omitempty"`   // init was told to halt
	KillAt time.Duration `json:"kill_at,omitempty"` // when everything is killed, monotonic; 0: never
	Killed bool          `json:"killed,omitempty"`  // everything was killed
	Keep   bool          `json:"keep,omitempty"`    // it isn't destroyed, though it is ephemeral
	Limit  time.Duration `json:"limit,omitempty"`   // the time that KillAt grants, for messages
}

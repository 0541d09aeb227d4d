// Package state has the words for what a guest is doing, the one table of how
// they follow each other, and the two files that outlive a process: state.json,
// the guest's identity, and run.json, the facts of one life.
//
// It decides nothing: whether a guest really lives is read from its pidfd and
// its cgroup, never from a stored word. What the user configures is not here but
// in package spec.
package state

// State is what a guest is doing, in the words that users see.
type State string

// The states. Starting, Stopping, Freezing and Thawed pass by themselves.
const (
	Stopped  State = "STOPPED"  // no process of the guest exists
	Starting State = "STARTING" // its context is being made, or made anew for a reboot
	Running  State = "RUNNING"  // its init has been executed
	Stopping State = "STOPPING" // its init was asked to end, or is being killed
	Freezing State = "FREEZING" // its cgroup was told to freeze
	Frozen   State = "FROZEN"   // none of its processes runs
	Thawed   State = "THAWED"   // its cgroup was told to thaw
)

// States returns all states, in the order of a guest's life.
func States() []State {
	return []State{Stopped, Starting, Running, Stopping, Freezing, Frozen, Thawed}
}

// Valid tells whether s is one of the states.
func (s State) Valid() bool {
	_, ok := transitions()[s]
	return ok
}

// Event is something that was asked of a guest or that happened to it.
type Event string

// The events. Start, Stop, Freeze and Thaw are asked for, the others happen.
const (
	Start   Event = "start"
	Started Event = "started" // init has been executed
	Stop    Event = "stop"    // a clean stop or a kill; both may be repeated
	Ended   Event = "ended"   // no process is left, or none ever was: a start failed
	Reboot  Event = "reboot"  // init has gone, and the same monitor starts it anew
	Freeze  Event = "freeze"
	Froze   Event = "froze" // the kernel says that all is frozen
	Thaw    Event = "thaw"  // asked for, or a freeze ran out of its time
	Ran     Event = "ran"   // the kernel says that it runs again
)

// Events returns all events.
func Events() []Event {
	return []Event{Start, Started, Stop, Ended, Reboot, Freeze, Froze, Thaw, Ran}
}

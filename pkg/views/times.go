package views

import "time"

// Time is where a CPU's time went since the guest's boot.
type Time struct {
	User, Nice, System, Idle, Steal time.Duration
}

// Times is the time of the guest's CPUs.
type Times struct {
	Total Time   // of all CPUs that the guest has or had
	CPU   []Time // of each of Snapshot.CPUs
}

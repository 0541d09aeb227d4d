// Package holder is the process that stands in for a service manager on hosts
// without systemd: one for an instance, for as long as one of its guests has a
// monitor. It starts the monitors, keeps the descriptors that they leave with
// it, starts one anew with them when it died, is the reaper of guests whose
// monitor died, and does nothing else.
//
//	pkg/guest                 holder                       monitor of a guest
//	  | flock holder.lock       |                              |
//	  | connect, else start --> |                              |
//	  | start NAME {plan,report}|                              |
//	  |-----------------------> | fork, LISTEN_FDS ----------> |
//	  | <--- {pid} ------------ |                              |
//	  |                         | <-- FDSTORE=1 FDNAME=… ----- | (package fdstore)
//	  | <======== report =====================================|
//	  |                         | <-- pidfd: dead -------------X
//	  |                         | fork, with what was kept --> | adopts the guest
//	  |                         | <-- STOPPING=1, end ---------X
//	  |                         | no monitor, no client: ends
//
// Its own death loses nothing: monitors run on. The next holder asks every
// monitor that it finds under the run directory to leave its descriptors
// again, and watches those that aren't its children by pidfd.
//
// It knows nothing of guests: whether one runs or how it is stopped is its
// monitor's business (package monitor).
package holder

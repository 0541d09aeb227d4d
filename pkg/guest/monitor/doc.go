// Package monitor is the process that keeps one guest: it starts it, drains its
// console, serves the control socket, notices how it ended, and starts it again
// where that is asked for. It outlives the command that started it, and the
// guest outlives it: a monitor that was killed is started again by its service
// manager (package holder, or systemd) and takes the guest over.
//
// It is one event loop that owns all state:
//
//	epoll: pidfd, notify, control, signals, jobs ──▶ events ──▶ Core.Step ──▶ actions
//	       ptys and their clients ──▶ package console           (pure)      (effects*.go)
//
// [Core] decides and does nothing; the files effects*.go do and decide nothing.
// What blocks (a launch, a freeze, a command inside the guest) is a job: a
// goroutine whose only result is one event. The bytes of the console pass beside
// the core.
//
// What a successor needs is kept where it finds it: descriptors in the service
// manager's store (package fdstore), the state in a memfd among them ([Life]).
//
//	   first start          killed at any time            next monitor
//	plan ──▶ make groups ──▶ launch ──▶ keep fds ──▶ exec ──▶ fds + Life ──▶ adopt
//	         └──── nothing kept: the groups are removed, started anew ────┘
//
// The package knows no configuration files and no ledgers: all that it does
// follows from its [Plan].
package monitor

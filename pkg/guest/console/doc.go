// Package console is the monitor's side of a guest's console and ttys: it
// drains pty masters for ever, keeps what they said in a ring that outlives the
// process and in a size-rotated log file, and shares each pty with any number
// of attached clients.
//
// It owns no event loop, no control protocol and no terminal: the monitor's
// loop calls it, package control carries the clients' sockets, and package
// terminal is the client. Nothing here blocks, starts a goroutine or looks at
// the clock; every call is told what time it is. Nothing here may be called
// from two goroutines at once.
//
// # How a loop drives a TTY
//
// Every descriptor of a TTY (its master and its clients) is registered once,
// with [Events], which is edge-triggered, and never modified after that:
//
//	epoll_ctl(ADD, fd, Events) <---- NewTTY, Replace: Master()
//	                           <---- Attach: the client's socket
//
//	+-> epoll_wait(until Deadline()) --- fd ready ---> Ready(now, fd, events)
//	|        |                                           |
//	|        +-- Deadline() passed ----> Tick(now)       |  reads the master until it is
//	|                                      |             |  empty or the budget is spent:
//	|                                      v             v    ring, then log, then clients
//	|        Options.Gone(fd) <--- a client is gone; reads clients' input: to the master
//	|        forget fd; it is closed just after          |
//	+----------------------------------------------------+
//
// Deadline is in the past when a budget ran out and there is more to do: the
// loop then polls its other descriptors without waiting and calls Tick.
//
// # Output and slow clients
//
// A client has no buffer of its own but a position in the ring. Reading from
// the pty pauses while the next read would overwrite what a client hasn't got:
//
//	      room for a read
//	   +-------------------+
//	   v                   | all clients at most a quarter of a ring behind
//	reading -- no room --> paused, for 100 ms at most
//	   ^                         |
//	   |                         | 100 ms over: clients more than a quarter
//	   +-------------------------+ behind are "lagging"
//
// A lagging client doesn't count until it is at most a quarter behind again. What
// is overwritten meanwhile is skipped for it, and a line says how much. So half a
// ring flows between two pauses, and a write of a guest that is shorter than this
// is held up by clients once, for 100 ms at most.
package console

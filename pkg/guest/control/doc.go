// Package control is the conversation between the verbs of the command line
// and the processes that keep guests: the monitor of a guest and the holder
// of an instance. Both serve the same protocol, each its own operations.
//
// A connection is a SOCK_SEQPACKET Unix socket, one JSON message a packet of
// at most [MaxPacket] bytes, file descriptors beside it as SCM_RIGHTS. A
// connection carries one request and its answer:
//
//	client                                server
//	  | connect                              | SO_PEERCRED: uid 0, else closed
//	  | {"min":1,"max":3,"op":"stop",…} ---> |
//	  |                                      | highest version both know
//	  | <--- {"v":1,"ok":true,…}  + fds      | or {"v":1,"error":{…}}
//	  | (console only) {"op":"resize",…} --> | no answer
//	  | close                                | a console is detached by it
//
// A request carries the versions that will do: from the one that its operation came
// with to the newest that the client knows. So old and new programs work together in
// what both know, and say so in the rest (KindVersion); a server ignores fields that it
// doesn't know.
//
// The server side is for a single-threaded event loop: nothing in it blocks,
// and it starts no goroutine. The client side blocks until its context ends,
// so that a monitor that was stopped by SIGSTOP costs a client a timeout and
// nothing more.
//
// The package knows nothing of what an operation does: it is not the place
// for the state machine of a guest (see pkg/guest/state and
// pkg/guest/monitor), nor for the raw bytes of a console, which pass by a
// stream socket of their own.
package control

// Package wire has the messages between a test machine's agent and its host: one JSON object a line, over a virtio serial port. A
// port has one client at a time, and a client one session, whose ID is in all its messages: what an earlier client left behind on
// the line is known by another ID. It isn't for anything outside test machines.
//
//	host                          agent
//	ping ──────────────────────▶
//	     ◀────────────────────── Boot
//	run Args ──────────────────▶
//	input Data, close ─────────▶
//	     ◀────────────────────── Stream, Data
//	     ◀────────────────────── Done, Status
package wire

import "time"

// What a host may ask for.
const (
	Ping   = "ping"   // whose machine is this, and which boot of it
	Settle = "settle" // take this time, and random numbers of one's own
	Run    = "run"    // run a command; there is one at a time in a session
	Input  = "input"  // for the command's standard input
	Close  = "close"  // the end of it
)

// Request is a message to the agent.
type Request struct {
	ID   string
	Op   string
	Args []string  `json:",omitempty"` // Run: a command line
	Env  []string  `json:",omitempty"` // Run: more of the environment
	Dir  string    `json:",omitempty"` // Run: the working directory
	Data []byte    `json:",omitempty"` // Input; Settle: random bytes
	Time time.Time `json:",omitzero"`  // Settle
}

// Answer is a message of the agent.
type Answer struct {
	ID     string
	Boot   string `json:",omitempty"` // to Ping: the boot's id
	Stream int    `json:",omitempty"` // 1 and 2: Data is of the command's standard output or error
	Data   []byte `json:",omitempty"`
	Done   bool   `json:",omitempty"` // the last answer to Run or Settle
	Status int    `json:",omitempty"` // the command's, 128 and the number for a signal
	Error  string `json:",omitempty"` // why it couldn't be done
}

// PortPrefix and Ports name the agent's ports: sysct.0, sysct.1, … in /dev/virtio-ports.
const (
	PortPrefix = "sysct."
	Ports      = 4
)

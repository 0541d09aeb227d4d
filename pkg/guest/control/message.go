package control

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/sysct/sysct/pkg/guest/state"
)

// The versions of the protocol that this build speaks.
const (
	MinVersion = 1
	MaxVersion = newest
)

// since is the version that an operation came with: a request for it is refused by a
// server that speaks only lower ones, with KindVersion.
func since(op Op) int {
	switch op {
	case OpUpgrade:
		return 2
	case OpPlan, OpApply, OpListen:
		return 3
	}
	return MinVersion
}

// Op names what a client asks for.
type Op string

// The operations of a monitor.
const (
	OpStatus  Op = "status" // facts of the guest's life, and a pidfd of its init
	OpStop    Op = "stop"   // clean stop, answered when the guest is stopped, or with NoWait at once
	OpKill    Op = "kill"   // a signal to init; SIGKILL ends everything
	OpFreeze  Op = "freeze"
	OpThaw    Op = "thaw"
	OpWait    Op = "wait"    // until a state or readiness is reached
	OpConsole Op = "console" // answered with a stream socket
	OpResize  Op = "resize"  // follows OpConsole on its connection, no answer
	OpAdopt   Op = "adopt"   // a new holder asks for every fd again
)

// OpUpgrade has a monitor or a holder execute another program in place, which comes as
// a descriptor; answered by that. Version 2.
const OpUpgrade Op = "upgrade"

// Version 3: what a running guest was started with, and a change of it; the listener of
// the filter of what has entered it, as a descriptor, for those that are Listening.
const (
	OpPlan   Op = "plan"  // answered with the guest's plan, in a memfd
	OpApply  Op = "apply" // a change of it, in a memfd that comes along; made whole or not at all
	OpListen Op = "listen"
)

// The operations of a holder.
const (
	OpStart Op = "start" // start the monitor of a guest; fds: plan, report
	OpReap  Op = "reap"  // how a process ended that the holder has reaped
)

// Request is what a client sends. Fields that an operation doesn't name in
// its comment are ignored by it.
type Request struct {
	Min int `json:"min"` // lowest version the client speaks
	Max int `json:"max"` // highest version the client speaks
	Op  Op  `json:"op"`

	// TimeoutMS bounds stop, freeze, thaw and wait, in milliseconds; nil
	// leaves it to the server's default.
	TimeoutMS *int64        `json:"timeout_ms,omitempty"`
	NoKill    bool          `json:"nokill,omitempty"`   // stop: fail instead of killing
	NoWait    bool          `json:"nowait,omitempty"`   // stop: answer when it has begun
	Keep      bool          `json:"keep,omitempty"`     // stop, kill: an ephemeral guest isn't destroyed, it is started again
	Hold      bool          `json:"hold,omitempty"`     // freeze: until the connection ends, or a thaw with Hold on it
	Signal    int           `json:"signal,omitempty"`   // kill: the signal's number
	States    []state.State `json:"states,omitempty"`   // wait: any of these
	Ready     bool          `json:"ready,omitempty"`    // wait: until the guest is ready
	TTY       int           `json:"tty,omitempty"`      // console: 0 is the console, N is ttyN
	Rows      uint16        `json:"rows,omitempty"`     // console, resize
	Cols      uint16        `json:"cols,omitempty"`     // console, resize
	Notify    string        `json:"notify,omitempty"`   // adopt: path of the holder's notify socket
	Watchdog  time.Duration `json:"watchdog,omitempty"` // adopt: how often a sign of life is due; 0: never
	Name      string        `json:"name,omitempty"`     // start: the guest's name
	Helper    string        `json:"helper,omitempty"`   // start, upgrade: path of the helper program
	Pid       int           `json:"pid,omitempty"`      // reap
	Enter     bool          `json:"enter,omitempty"`    // status: with the groups to enter by
}

// SetTimeout bounds the operation; d is rounded up to milliseconds.
func (r *Request) SetTimeout(d time.Duration) {
	ms := int64((d + time.Millisecond - 1) / time.Millisecond)
	r.TimeoutMS = &ms
}

// Timeout is the bound the client set, or def if it set none. It is never
// negative.
func (r *Request) Timeout(def time.Duration) time.Duration {
	if r.TimeoutMS == nil {
		return def
	}
	const most = int64(1<<63-1) / int64(time.Millisecond)
	return time.Duration(min(max(*r.TimeoutMS, 0), most)) * time.Millisecond
}

// Response is the answer to a request.
type Response struct {
	V     int    `json:"v"` // the version of this answer
	OK    bool   `json:"ok"`
	Error *Error `json:"error,omitempty"`

	Run    *state.Run `json:"run,omitempty"`    // status, stop, wait
	Note   string     `json:"note,omitempty"`   // something the user should see, such as "killed after 60s"
	Status *int       `json:"status,omitempty"` // reap: the wait status as wait4(2) gives it
	Pid    int        `json:"pid,omitempty"`    // adopt, start: the monitor's

	// Resources are what a program has that enters the guest, as its init has it: status
	// with Enter.
	Resources *Resources `json:"resources,omitempty"`

	// Listening says that OpListen may follow: status with Enter.
	Listening bool `json:"listening,omitempty"`
	// Crowded says that it may not for lack of room.
	Crowded bool `json:"crowded,omitempty"`

	// Program is the version of the server's program; "": it is of before version 2.
	Program string `json:"program,omitempty"`
}

// Kind classes the errors of a server for those who branch on them.
type Kind string

// The kinds of error.
const (
	KindInvalid Kind = "invalid" // the request makes no sense
	KindVersion Kind = "version" // no version that both speak
	KindState   Kind = "state"   // the guest is not in a state for it
	KindTimeout Kind = "timeout" // it didn't happen in the time given
	KindBusy    Kind = "busy"    // something else is under way
	KindAbsent  Kind = "absent"  // what was asked for isn't there
	KindFailed  Kind = "failed"  // it was tried and failed
)

// Unknown is the error of a server for an operation that came after it.
func Unknown(op Op, program string) *Error {
	return Errorf(KindVersion, "sysct %s knows no request %q", program, op)
}

// Error is what a server answers instead of success.
type Error struct {
	Kind    Kind   `json:"kind"`
	Message string `json:"message"`
}

// Error is the server's own sentence.
func (e *Error) Error() string { return e.Message }

// Is makes errors of one kind equal for errors.Is, whatever they say.
func (e *Error) Is(target error) bool {
	var t *Error
	return errors.As(target, &t) && t.Message == "" && t.Kind == e.Kind
}

// Errorf makes an error of a kind.
func Errorf(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...)}
}

// decodeRequest reads a request and settles its version. The version is 0
// if none fits; the error is then of KindVersion.
func decodeRequest(data []byte, program string) (*Request, int, *Error) {
	var req Request
	if err := json.Unmarshal(data, &req); err != nil {
		return nil, MaxVersion, Errorf(KindInvalid, "cannot read request: %v", err)
	}
	v := min(req.Max, MaxVersion)
	if v < MinVersion || v < req.Min {
		return nil, MaxVersion, Errorf(KindVersion,
			"cannot speak version %d to %d of the control protocol: sysct %s speaks %d to %d",
			req.Min, req.Max, program, MinVersion, MaxVersion)
	}
	if req.Op == "" {
		return nil, v, Errorf(KindInvalid, "cannot read request: no operation in it")
	}
	return &req, v, nil
}

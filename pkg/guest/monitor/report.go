package monitor

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"golang.org/x/sys/unix"

	sysctx "github.com/sysct/sysct/pkg/context"
)

// Report is what the starter of a guest is told once, as one JSON value: that
// its init has been executed, or why not.
type Report struct {
	OK       bool     `json:"ok"`
	Pid      int      `json:"pid,omitempty"` // init's, on the host
	Warnings []string `json:"warnings,omitempty"`
	Error    *Failure `json:"error,omitempty"`
}

// Failure is a start that failed.
type Failure struct {
	Step    string   `json:"step"`
	Call    string   `json:"call,omitempty"`
	Path    string   `json:"path,omitempty"`
	Errno   int      `json:"errno,omitempty"`
	Message string   `json:"message"`                // the cause alone, without the step
	Console []string `json:"console_tail,omitempty"` // last lines of the guest's console
	Stopped bool     `json:"stopped,omitempty"`      // it was no fault: a stop overtook the start
}

// Error is step, call and path, and the cause.
func (f *Failure) Error() string {
	e := sysctx.StepError{Step: f.Step, Call: f.Call, Path: f.Path, Err: errors.New(f.Message)}
	return e.Error()
}

// ReadReport waits for the report. io.ErrUnexpectedEOF means that the monitor
// died before it could give one; it is started again and goes on.
func ReadReport(r io.Reader) (*Report, error) {
	var rep Report
	err := json.NewDecoder(r).Decode(&rep)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the monitor's report: %w", err)
	}
	return &rep, nil
}

// newFailure words an error of a start.
func newFailure(err error) *Failure {
	f := &Failure{Step: "start guest", Message: err.Error(), Stopped: errors.Is(err, errStopped)}
	var step *sysctx.StepError
	if errors.As(err, &step) {
		f.Step, f.Call, f.Path, f.Message = step.Step, step.Call, step.Path, step.Err.Error()
	}
	var errno unix.Errno
	if errors.As(err, &errno) {
		f.Errno = int(errno)
	}
	return f
}

// send writes the report and closes the descriptor. A starter that has gone
// doesn't want it any more.
func (r *Report) send(fd int) {
	data, err := json.Marshal(r)
	if err == nil {
		unix.Write(fd, append(data, '\n'))
	}
	unix.Close(fd)
}

package guest

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// What callers branch on, by errors.Is.
var (
	ErrNoGuest = errors.New("no such guest")
	ErrExists  = errors.New("guest exists")
	ErrState   = errors.New("wrong state") // start of a running guest, exec in a stopped one
	// ErrProtected is an ErrState too: the configuration forbids it.
	ErrProtected = errors.New("guest is protected")
	ErrConfig    = errors.New("invalid") // usage or configuration
	ErrLocked    = errors.New("locked")  // another process works on the guest
	ErrTimeout   = errors.New("timeout")
	ErrBroken    = errors.New("guest is broken") // its state can't be read
)

// kindError is an error of one of the kinds above with a message of its own.
type kindError struct {
	kind error
	err  error
}

func (e *kindError) Error() string        { return e.err.Error() }
func (e *kindError) Is(target error) bool { return target == e.kind }
func (e *kindError) Unwrap() error        { return e.err }

// as gives err the kind, for errors.Is, and leaves its text alone.
func as(kind, err error) error {
	if err == nil {
		return nil
	}
	return &kindError{kind, err}
}

// stateError is ErrState with what the guest is instead.
func stateError(format string, args ...any) error {
	return as(ErrState, fmt.Errorf(format, args...))
}

// printable gives a user's word as it is, or quoted if it has bytes in it that would
// break a line or steer a terminal.
func printable(word string) string {
	if quoted := strconv.Quote(word); quoted != `"`+word+`"` {
		return quoted
	}
	return word
}

// StartError is a start that failed: the step, the system call and path where
// they are known, and the last lines of the guest's console.
type StartError struct {
	Step    string
	Call    string
	Path    string
	Err     error
	Console []string
}

func (e *StartError) Error() string {
	var b strings.Builder
	b.WriteString(e.Step)
	if e.Call != "" {
		b.WriteString(": " + e.Call)
		if e.Path != "" {
			b.WriteString(" " + e.Path)
		}
	}
	return b.String() + ": " + e.Err.Error()
}

func (e *StartError) Unwrap() error { return e.Err }

package enter

import (
	"fmt"
	"syscall"
)

// Error says which step of the way into the guest failed.
type Error struct {
	// Step is a verb and its object: "join namespaces", "execute".
	Step string
	// Path is what the step was about: the directory or the program; or empty.
	Path string
	// Errno is the kernel's answer.
	Errno syscall.Errno
}

// Error returns the step, the path quoted, and the cause.
func (e *Error) Error() string {
	if e.Path == "" {
		return fmt.Sprintf("cannot %s: %v", e.Step, e.Errno)
	}
	return fmt.Sprintf("cannot %s %q: %v", e.Step, e.Path, e.Errno)
}

// Unwrap returns the errno.
func (e *Error) Unwrap() error { return e.Errno }

// ExitStatus returns what a shell would exit with: 127 if the program was not
// found, 126 if it could not be executed, 125 if it never came to that.
func (e *Error) ExitStatus() int {
	switch {
	case e.Step != stepNames[stepExecute]:
		return 125
	case e.Errno == syscall.ENOENT || e.Errno == syscall.ENOTDIR:
		return 127
	default:
		return 126
	}
}

// step numbers the child's work; it travels through the report socket.
type step uint32

const (
	stepNone step = iota
	stepFork
	stepDumpable
	stepCgroup
	stepFiles
	stepKeyring
	stepSession
	stepNamespaces
	stepTerminal
	stepSignals
	stepLimits
	stepBounding
	stepGroups
	stepGID
	stepUID
	stepCapabilities
	stepFilter
	stepDirectory
	stepInside
	stepExecute
	stepTimeout
	stepListener // no failure: the listener comes along
)

var stepNames = [...]string{
	stepFork:         "fork into the guest",
	stepDumpable:     "make the process undumpable",
	stepCgroup:       "join cgroup",
	stepFiles:        "arrange descriptors",
	stepKeyring:      "make a session keyring",
	stepSession:      "make a session",
	stepNamespaces:   "join namespaces",
	stepTerminal:     "take the terminal",
	stepSignals:      "reset signals",
	stepLimits:       "set limits",
	stepBounding:     "drop capabilities",
	stepGroups:       "set supplementary groups",
	stepGID:          "set group id",
	stepUID:          "set user id",
	stepCapabilities: "set capabilities",
	stepFilter:       "load seccomp filter",
	stepDirectory:    "change to directory",
	stepInside:       "stay inside the guest in directory",
	stepExecute:      "execute",
	stepTimeout:      "wait for the program to start",
}

// newError names a step and the part of the request that it was about.
func newError(s step, errno syscall.Errno, p *Process) *Error {
	e := &Error{Step: "enter guest", Errno: errno}
	if s > stepNone && int(s) < len(stepNames) {
		e.Step = stepNames[s]
	}
	switch s {
	case stepDirectory, stepInside:
		e.Path = p.Dir
	case stepExecute:
		e.Path = p.Args[0]
	}
	return e
}

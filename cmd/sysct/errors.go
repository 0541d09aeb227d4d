package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/guest"
)

// The exit statuses that scripts rely on.
const (
	exitOK      = 0
	exitError   = 1
	exitState   = 2 // the guest is in the wrong state
	exitNoGuest = 3
	exitUsage   = 4 // usage or configuration
	exitLocked  = 5
	exitTimeout = 6
)

// statuses is the one table from errors to exit statuses; the first match counts.
func statuses() []struct {
	err    error
	status int
} {
	return []struct {
		err    error
		status int
	}{
		{guest.ErrNoGuest, exitNoGuest},
		{guest.ErrState, exitState},
		{guest.ErrConfig, exitUsage},
		{guest.ErrLocked, exitLocked},
		{guest.ErrTimeout, exitTimeout},
		{errUsage, exitUsage},
		{errNotRoot, exitError},
	}
}

var (
	errUsage   = errors.New("usage")
	errNotRoot = errors.New("only root can do this\nhint: run it with sudo")
	// errReported is an error that has been printed already.
	errReported = errors.New("reported")
)

// usageError is bad input on the command line or in the host's configuration.
type usageError struct{ err error }

func (e *usageError) Error() string        { return e.err.Error() }
func (e *usageError) Unwrap() error        { return e.err }
func (e *usageError) Is(target error) bool { return target == errUsage }

func usage(err error) error {
	if err == nil {
		return nil
	}
	return &usageError{err}
}

// statusError is an exit status that the verb itself defines, as exec's.
type statusError struct {
	status int
	err    error // nil: nothing to print
}

func (e *statusError) Error() string {
	if e.err == nil {
		return "exit status " + strconv.Itoa(e.status)
	}
	return e.err.Error()
}
func (e *statusError) Unwrap() error { return e.err }

// guestError says which guest an error is about.
type guestError struct {
	name string
	err  error
}

// Error escapes the name: a line end in it would begin a line that looks like ours.
func (e *guestError) Error() string { return escape(e.name) + ": " + e.err.Error() }
func (e *guestError) Unwrap() error { return e.err }

// about adds the guest's name to an error.
func about(name string, err error) error {
	if err == nil || name == "" {
		return err
	}
	return &guestError{name, err}
}

// finish prints an error as `sysct: <verb> <guest>: <reason>` with its hints on
// lines of their own, and gives the exit status.
func (a *app) finish(cmd *cobra.Command, err error) int {
	if err == nil {
		return exitOK
	}
	if !a.ran {
		err = usage(err)
		if name := cmd.Name(); name == "exec" || name == "shell" {
			err = execFailed(err)
		}
	}
	status := statusOf(err)
	if sig := a.interrupted(); sig != 0 && errors.Is(err, context.Canceled) {
		fmt.Fprintf(a.err, "sysct: %s: interrupted\n", verbName(cmd))
		return 128 + int(sig)
	}
	var st *statusError
	if errors.As(err, &st) && st.err == nil || errors.Is(err, errReported) {
		return status
	}
	if errors.Is(err, unix.EPIPE) {
		return 128 + int(unix.SIGPIPE)
	}
	a.report(verbName(cmd), err)
	return status
}

func statusOf(err error) int {
	var st *statusError
	if errors.As(err, &st) {
		return st.status
	}
	for _, s := range statuses() {
		if errors.Is(err, s.err) {
			return s.status
		}
	}
	return exitError
}

// report prints one error. A start that failed shows the console's last lines.
func (a *app) report(verb string, err error) {
	prefix := "sysct: "
	if verb != "sysct" {
		prefix += verb + " "
	}
	var named *guestError
	if !errors.As(err, &named) && verb != "sysct" {
		prefix = strings.TrimSuffix(prefix, " ") + ": "
	}
	lines := strings.Split(strings.TrimRight(err.Error(), "\n"), "\n")
	fmt.Fprintln(a.err, prefix+escape(lines[0]))
	var hints []string
	for _, line := range lines[1:] {
		if strings.HasPrefix(line, "hint: ") {
			hints = append(hints, line)
		} else {
			fmt.Fprintln(a.err, "  "+escape(line))
		}
	}
	var start *guest.StartError
	if errors.As(err, &start) {
		a.reportConsole(start.Console)
		if named != nil {
			hints = append(hints, "hint: sysct why "+named.name)
		}
	}
	for _, hint := range hints {
		fmt.Fprintln(a.err, escape(hint))
	}
}

func (a *app) reportConsole(lines []string) {
	if len(lines) == 0 {
		return
	}
	fmt.Fprintln(a.err, "the console's last lines:")
	for _, line := range lines {
		fmt.Fprintln(a.err, "  | "+escape(strings.ReplaceAll(line, "\t", " ")))
	}
}

// escape makes control bytes visible: names and texts may be hostile.
func escape(s string) string {
	var b strings.Builder
	for _, r := range s {
		if strconv.IsPrint(r) {
			b.WriteRune(r)
			continue
		}
		quoted := strconv.QuoteRuneToASCII(r)
		b.WriteString(quoted[1 : len(quoted)-1])
	}
	return b.String()
}

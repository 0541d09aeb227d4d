package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/guest"
	"github.com/sysct/sysct/pkg/guest/events"
)

const eventsLong = `Print what happened to the guests, or to those that are named, the oldest first; with -f
what happens from now on, until Ctrl-C. A guest that was renamed or destroyed is found by
its name of then, but not followed: with -f a name has to be a guest's.

  create clone rename destroy   a guest was made, is called otherwise, is gone
  start ready                   its init was executed; it is up
  fail                          it could not be started
  reboot restart                it rebooted; it failed and is started again
  stop                          it has stopped: poweroff, halt, exited, killed, oom, signal
  freeze thaw                   all its processes were stopped, and go on
  oom                           processes in it were killed for lack of memory
  pids                          forks in it were refused by its limit of processes
  change                        its limits were changed while it ran
  adopt upgrade                 another monitor, or another program, looks after it now

What a guest can cause as often as it likes is told of once a second at most, with how
often it was. --json prints an object a line, with times in UTC. The log is kept over the
host's boots, and bounded: two files of 2 MiB in the log directory.`

type eventsOptions struct {
	follow, json bool
	since        string
	last         int
}

func newEvents(a *app) *cobra.Command {
	o := &eventsOptions{}
	cmd := &cobra.Command{
		Use: "events [NAME...]", Short: "Print what happens to guests", Long: eventsLong,
		Example:           "  sysct events --since 1h\n  sysct events -f web db\n  sysct events -f --json | jq -r 'select(.event == \"oom\").guest'",
		ValidArgsFunction: a.completeGuests,
		RunE:              func(cmd *cobra.Command, args []string) error { return runEvents(cmd, a, o, args) },
	}
	f := cmd.Flags()
	f.BoolVarP(&o.follow, "follow", "f", false, "print what happens from now on; with -n or --since after what that says")
	f.BoolVar(&o.json, "json", false, "a JSON object a line")
	f.StringVar(&o.since, "since", "", "only what happened after `TIME`: 2026-01-31T12:00:00Z, '2026-01-31 12:00', 12:00, or 10m ago")
	f.IntVarP(&o.last, "lines", "n", allLines, "the last N of those that happened, -1: all")
	return cmd
}

func runEvents(cmd *cobra.Command, a *app, o *eventsOptions, names []string) error {
	if o.last < allLines {
		return invalid("--lines must not be negative")
	}
	since, err := sinceTime(o.since, time.Now())
	if err != nil {
		return usage(err)
	}
	m, err := a.manager()
	if err != nil {
		return err
	}
	want := guest.EventsOptions{Names: names, Since: since, Last: o.last, Follow: o.follow, Missed: a.missedEvents}
	if o.follow && !cmd.Flags().Changed("lines") && o.since == "" {
		want.Last = 0
	}
	ctx, cancel := context.WithCancelCause(cmd.Context())
	defer cancel(nil)
	if o.follow {
		go cancelUnread(int(a.out.Fd()), cancel)
	}
	err = m.Events(ctx, want, func(e *events.Event) error { return a.printEvent(e, o.json) })
	if sig := a.interrupted(); err == nil && sig != 0 {
		return &statusError{status: 128 + int(sig)}
	}
	if cause := context.Cause(ctx); err == nil && cause != nil {
		return cause
	}
	return err
}

// cancelUnread cancels when nobody reads any more what is written to a pipe: a write
// would say so, but the next event may be days away.
func cancelUnread(fd int, cancel context.CancelCauseFunc) {
	for {
		fds := []unix.PollFd{{Fd: int32(fd)}} // POLLERR is always among the events
		_, err := unix.Poll(fds, -1)
		if err == unix.EINTR {
			continue
		}
		if err == nil && fds[0].Revents&unix.POLLERR != 0 {
			cancel(unix.EPIPE)
		}
		return
	}
}

func (a *app) missedEvents(n uint64) {
	a.warn(fmt.Sprintf("%d events were written faster than they could be printed, and are lost", n))
}

func (a *app) printEvent(e *events.Event, asJSON bool) error {
	if !asJSON {
		return a.printf("%s\n", eventText(e))
	}
	enc := json.NewEncoder(a.out)
	enc.SetEscapeHTML(false)
	return enc.Encode(e)
}

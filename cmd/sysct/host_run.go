package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/host"
)

type hostRunOptions struct {
	keep     bool
	jobs     int
	patience durationFlag
}

const hostRunLong = `Serve the host, in the foreground: remove what killed verbs and an earlier boot of the
host have left, and start the guests that are enabled, each once in a boot of the host.

Guests of a lower autostart.order are started first, those of one order at the same
time, and all others behind them; stops are in reverse. A guest waits until those are
ready that its autostart.after and requires name, but not for ever (-T). One that can't
be started keeps only those from starting that require it.

SIGHUP has the configuration read again and newly enabled guests started. SIGTERM, and
Ctrl-C, stop all guests and end the service: each has the time of its init.stop_timeout
and is killed then. With --keep they do so only while systemd brings the host down, and
leave the guests otherwise, as SIGUSR1 always does; a kill of the service touches none
of them. A service that begins again starts none that was enabled, started or stopped
since the first one of this boot of the host. A second service is an error, 5.

On a host with systemd this is sysct.service, with --keep. Guests are units there: the
service writes their order as unit files' drop-ins in /run/systemd/system and has systemd
start them, and its own end and restart touch none of them. Guests of an own state
directory, or on a host with hybrid control groups, are no units: the service starts
them, and stops them when the host goes down. Its readiness and state are told to
NOTIFY_SOCKET, if that is set.`

func newHostRun(a *app) *cobra.Command {
	o := &hostRunOptions{}
	cmd := &cobra.Command{
		Use: "run", Short: "Serve the host: start guests with it and stop them", Long: hostRunLong,
		Example: "  sysct host run\n  sysct host run --keep -j 4",
		Args:    noArgs, ValidArgsFunction: words(),
		RunE: func(cmd *cobra.Command, _ []string) error { return runHost(cmd, a, o) },
	}
	f := cmd.Flags()
	f.BoolVar(&o.keep, "keep", false, "leave the guests running at the end, unless the host goes down")
	f.IntVarP(&o.jobs, "jobs", "j", 0, "how many guests start at the same time (default: two a CPU)")
	f.VarP(&o.patience, "ready-timeout", "T", "how long a guest waits for another to be ready (default 5m)")
	return cmd
}

func runHost(cmd *cobra.Command, a *app, o *hostRunOptions) error {
	if !cmd.Flags().Changed("jobs") {
		o.jobs = 2 * runtime.NumCPU()
	} else if o.jobs < 1 {
		return invalid("--jobs must be at least 1")
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, unix.SIGHUP, unix.SIGUSR1, unix.SIGTERM, unix.SIGINT)
	m, err := a.manager()
	if err != nil {
		return err
	}
	notify := os.Getenv("NOTIFY_SOCKET")
	os.Unsetenv("NOTIFY_SOCKET") // it is this process's alone
	return host.Run(context.WithoutCancel(cmd.Context()), host.Options{
		Manager: m, Signals: signals, Notify: notify, Log: a.logLine(), Keep: o.keep,
		GoingDown: m.GoingDown, Jobs: o.jobs, Patience: o.patience.or(0),
	})
}

// logLine prints lines with their time, unless they go to the journal, which has it.
func (a *app) logLine() func(string) {
	stamp := func() string { return time.Now().UTC().Format("2006-01-02T15:04:05.000Z ") }
	if os.Getenv("JOURNAL_STREAM") != "" {
		stamp = func() string { return "" }
	}
	return func(line string) { fmt.Fprintln(a.err, stamp()+escape(line)) }
}

package main

import (
	"github.com/spf13/cobra"

	"github.com/sysct/sysct/internal/helperbin"
	"github.com/sysct/sysct/pkg/guest"
	"github.com/sysct/sysct/pkg/guest/monitor"
)

// newMonitor is hidden: it is what a guest's service executes.
func newMonitor(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "__monitor NAME", Short: "Become a guest's monitor", Hidden: true, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if guest.Inherits() {
				// The guest runs: nothing that is wrong on the host may keep it without a
				// monitor, and what fails is tried again.
				return guest.Successor(args[0], successors()...)
			}
			m, err := a.manager()
			if err == nil {
				err = m.Monitor(cmd.Context(), args[0])
			}
			// Nothing is mended by another try: systemd isn't to make one.
			return &statusError{status: monitor.ExitNoStart, err: err}
		},
	}
}

// successors are the helpers of this program's version, the best first.
func successors() []string {
	var paths []string
	for _, dir := range []string{"/var/cache/sysct/lib", "/run/sysct/.lib"} {
		if path, err := helperbin.Extract(dir, helperbin.Helper); err == nil {
			return append(paths, path)
		}
	}
	return paths
}

// newEnded is hidden: it is what a guest's service executes last.
func newEnded(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "__ended NAME", Short: "End what a monitor has left", Hidden: true, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			m, err := a.manager()
			if err != nil {
				return err
			}
			return m.Ended(cmd.Context(), args[0])
		},
	}
}

// newScope is hidden: it is what a guest's monitor executes, which links no D-Bus.
func newScope(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "__scope NAME", Short: "Make a guest's scope", Hidden: true, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			m, err := a.manager()
			if err != nil {
				return err
			}
			return m.Scope(cmd.Context(), args[0], a.in, a.out)
		},
	}
}

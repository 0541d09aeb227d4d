package main

import (
	"github.com/spf13/cobra"

	"github.com/sysct/sysct/pkg/guest/monitor"
)

// newMonitor is hidden: it is what a guest's service executes.
func newMonitor(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "__monitor NAME", Short: "Become a guest's monitor", Hidden: true, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			m, err := a.manager()
			if err == nil {
				err = m.Monitor(cmd.Context(), args[0])
			}
			// Nothing is mended by another try: systemd isn't to make one.
			return &statusError{status: monitor.ExitNoStart, err: err}
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

package main

import (
	"github.com/spf13/cobra"
)

// allLines is --lines' default.
const allLines = -1

func newLogs(a *app) *cobra.Command {
	var tail int
	var follow bool
	cmd := &cobra.Command{
		Use: "logs NAME", Short: "Print what a guest's monitor logged",
		Long: "Print what a guest's monitor logged. What its console showed is in console --log.",
		Args: oneGuest, ValidArgsFunction: a.guests(1),
		Example: "  sysct logs web\n  sysct logs -n 5 -f web",
		RunE: func(cmd *cobra.Command, args []string) error {
			if tail < allLines {
				return invalid("--lines must not be negative")
			}
			m, err := a.manager()
			if err != nil {
				return err
			}
			if !follow {
				return about(args[0], m.Logs(cmd.Context(), args[0], a.out, tail))
			}
			err = m.FollowLogs(cmd.Context(), args[0], a.out, tail)
			if sig := a.interrupted(); err == nil && sig != 0 {
				return &statusError{status: 128 + int(sig)}
			}
			return about(args[0], err)
		},
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on with what comes, until Ctrl-C or the guest's destruction")
	cmd.Flags().IntVarP(&tail, "lines", "n", allLines, "the last N lines only, -1: all")
	return cmd
}

package main

import (
	"github.com/spf13/cobra"
)

// allLines is --lines' default.
const allLines = -1

func newLogs(a *app) *cobra.Command {
	var tail int
	cmd := &cobra.Command{
		Use: "logs NAME", Short: "Print what a guest's monitor logged",
		Long: "Print what a guest's monitor logged. What its console showed is in console --log.",
		Args: oneGuest, ValidArgsFunction: a.guests(1),
		Example: "  sysct logs web\n  sysct logs -n 5 web",
		RunE: func(cmd *cobra.Command, args []string) error {
			if tail < allLines {
				return invalid("--lines must not be negative")
			}
			m, err := a.manager()
			if err != nil {
				return err
			}
			return about(args[0], m.Logs(cmd.Context(), args[0], a.out, tail))
		},
	}
	cmd.Flags().IntVarP(&tail, "lines", "n", allLines, "the last N lines only, -1: all")
	return cmd
}

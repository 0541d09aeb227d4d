package main

import (
	"github.com/spf13/cobra"

	"github.com/sysct/sysct/pkg/guest"
)

const gcLong = `Remove what killed verbs have left, and say what that was: half-made and half-removed
guests, half-built images, empty control groups, sockets and files of guests that are
gone. What another process works on is left alone. Built images stay: see sysct image.`

func newGC(a *app) *cobra.Command {
	var dry bool
	cmd := &cobra.Command{
		Use: "gc", Short: "Remove what killed verbs have left", Long: gcLong, Example: "  sysct gc -n\n  sysct gc",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			m, err := a.manager()
			if err != nil {
				return err
			}
			removed, err := m.GC(cmd.Context(), guest.GCOptions{DryRun: dry})
			for _, line := range removed {
				if perr := a.printf("%s\n", escape(line)); err == nil {
					err = perr
				}
			}
			return err
		},
	}
	cmd.Flags().BoolVarP(&dry, "dry-run", "n", false, "only say what would be removed")
	return cmd
}

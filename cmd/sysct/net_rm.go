package main

import (
	"github.com/spf13/cobra"

	"github.com/sysct/sysct/pkg/guest/spec"
)

const netRmLong = `Take a network down and remove its file, its subnets and the addresses on it. While guests'
configurations name it, or guests that run are on it, that is an error, 5; --force is
for the second alone. Of ` + spec.DefaultNetwork + ` nothing is removed: it is taken down.`

func newNetRm(a *app) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use: "rm NETWORK", Aliases: []string{"remove"}, Short: "Remove a network", Long: netRmLong,
		Example: "  sysct net rm dmz",
		Args:    oneNetwork, ValidArgsFunction: a.completeOthers,
		RunE: func(cmd *cobra.Command, args []string) error {
			m, err := a.manager()
			if err != nil {
				return err
			}
			return m.NetworkRemove(cmd.Context(), args[0], force)
		},
	}
	cmd.Flags().BoolVarP(&force, "force", "f", false, "even if guests that run are on it")
	return cmd
}

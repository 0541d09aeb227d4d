package main

import (
	"github.com/spf13/cobra"

	"github.com/sysct/sysct/pkg/guest/spec"
)

const netRmLong = `Take a network down and remove its file, its subnets and the addresses on it. While guests'
configurations name it, or guests that run are on it, that is an error, 5; --force is
for the second alone. Of ` + spec.DefaultNetwork + ` nothing is removed: it is taken down.

With the name of a guest and of an interface, take that interface away from the guest: at once
if it runs, or nothing is changed.`

func newNetRm(a *app) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use: "rm NETWORK | rm NAME INTERFACE", Aliases: []string{"remove"}, Short: "Remove a network, or an interface of a guest", Long: netRmLong,
		Example: "  sysct net rm dmz\n  sysct net rm web eth1",
		Args:    networkOrInterface, ValidArgsFunction: a.completeOthers,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 2 {
				return a.removeInterface(cmd, args[0], args[1])
			}
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

// networkOrInterface: a network's name, or a guest's and an interface's.
func networkOrInterface(cmd *cobra.Command, args []string) error {
	if len(args) == 2 {
		return nil
	}
	return oneNetwork(cmd, args)
}

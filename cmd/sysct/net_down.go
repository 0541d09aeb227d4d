package main

import "github.com/spf13/cobra"

const netDownLong = `Take a network off the host: dnsmasq, rules and bridge. Its subnets and the guests'
addresses are kept, and the next guest that starts on it brings it up. Forwarding stays
as it is: others may have come to need it.

While guests that run are on it, that is an error, 5; with --force they are cut off, until
it is up and sysct net repair has put them back.`

func newNetDown(a *app) *cobra.Command {
	var force, all bool
	cmd := &cobra.Command{
		Use: "down NETWORK|--all", Short: "Take a network off the host", Long: netDownLong,
		Example: "  sysct net down dmz\n  sysct net down -f dmz && sysct net up dmz && sysct net repair",
		Args: func(cmd *cobra.Command, args []string) error {
			if all {
				return noArgs(cmd, args)
			}
			return oneNetwork(cmd, args)
		},
		ValidArgsFunction: a.completeNetworks,
		RunE: func(cmd *cobra.Command, args []string) error {
			m, err := a.manager()
			if err != nil {
				return err
			}
			if all {
				return m.NetworksDown(cmd.Context(), force)
			}
			return m.NetworkDown(cmd.Context(), args[0], force)
		},
	}
	cmd.Flags().BoolVarP(&all, "all", "a", false, "all networks that are up")
	cmd.Flags().BoolVarP(&force, "force", "f", false, "even if guests that run are on it")
	return cmd
}

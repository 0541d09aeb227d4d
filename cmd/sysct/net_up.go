package main

import "github.com/spf13/cobra"

const netUpLong = `Bring a network up, or what lacks of it: its bridge with the host's addresses, forwarding,
the rules of sysct's own table in nftables, and dnsmasq. A change of the network's file
counts from then on; guests that run keep the addresses that they have.

A device of that name that isn't sysct's is never taken. Rules of others stay as they
are; sysct doctor says if they drop what guests send.`

func newNetUp(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "up NETWORK", Short: "Bring a network up", Long: netUpLong,
		Example: "  sysct net up sysctbr0",
		Args:    oneNetwork, ValidArgsFunction: a.completeNetworks,
		RunE: func(cmd *cobra.Command, args []string) error {
			m, err := a.manager()
			if err != nil {
				return err
			}
			return m.NetworkUp(cmd.Context(), args[0])
		},
	}
}

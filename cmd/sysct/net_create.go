package main

import (
	"github.com/spf13/cobra"

	"github.com/sysct/sysct/pkg/guest/spec"
)

type netCreateOptions struct {
	ipv4, ipv6, domain            string
	mtu                           int
	noNAT, noDHCP, noDNS, isolate bool
}

const netCreateLong = `Make a network. Its file has the options as keys; it can be edited, which counts from the
next sysct net up on. A subnet is written as the host's address in it with the length of
the prefix; "auto" chooses one that no route of the host leads to and no other network
has, and "none" leaves the family out.

The network is brought up when the first guest on it starts.`

const netCreateExample = `  sysct net create dmz --isolate
  sysct net create lab --ipv4 10.20.0.1/16 --ipv6 none --no-nat
  sysct set web net[0].network=dmz`

func newNetCreate(a *app) *cobra.Command {
	o := &netCreateOptions{}
	cmd := &cobra.Command{
		Use: "create NETWORK", Short: "Make a network", Long: netCreateLong, Example: netCreateExample,
		Args: oneNetwork, ValidArgsFunction: words(),
		RunE: func(cmd *cobra.Command, args []string) error { return runNetCreate(cmd, a, o, args[0]) },
	}
	f := cmd.Flags()
	f.StringVar(&o.ipv4, "ipv4", spec.SubnetAuto, "the host's IPv4 `address` with the subnet's length, auto, or none")
	f.StringVar(&o.ipv6, "ipv6", spec.SubnetAuto, "the host's IPv6 `address` with the subnet's length, auto, or none")
	f.StringVar(&o.domain, "domain", "sysct", "the `domain` of the guests' names")
	f.IntVar(&o.mtu, "mtu", 0, "the largest packet, in bytes")
	f.BoolVar(&o.noNAT, "no-nat", false, "guests' addresses are seen beyond the network")
	f.BoolVar(&o.noDHCP, "no-dhcp", false, "no DHCP and no router advertisements")
	f.BoolVar(&o.noDNS, "no-dns", false, "no name server")
	f.BoolVar(&o.isolate, "isolate", false, "its guests don't reach each other")
	for _, name := range []string{"ipv4", "ipv6"} {
		completeFlag(cmd, name, words(spec.SubnetAuto, spec.SubnetNone))
	}
	for _, name := range []string{"domain", "mtu"} {
		completeFlag(cmd, name, words())
	}
	return cmd
}

func runNetCreate(cmd *cobra.Command, a *app, o *netCreateOptions, name string) error {
	def := spec.DefaultNetworkObject()
	def.IPv4, def.IPv6, def.Domain = o.ipv4, o.ipv6, o.domain
	def.NAT, def.DHCP, def.DNS, def.Isolate = !o.noNAT, !o.noDHCP, !o.noDNS, o.isolate
	if cmd.Flags().Changed("mtu") {
		def.MTU = &o.mtu
	}
	m, err := a.manager()
	if err != nil {
		return err
	}
	return m.NetworkCreate(cmd.Context(), name, def)
}

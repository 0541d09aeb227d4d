package main

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/sysct/sysct/pkg/guest"
)

const netShowLong = `Show a network: what it is, what it lacks if others have changed the host's network,
and the addresses of guests on it. Those whose name has a * are on it now.`

func newNetShow(a *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "show NETWORK", Short: "Show a network and who is on it", Long: netShowLong,
		Example: "  sysct net show sysctbr0",
		Args:    oneNetwork, ValidArgsFunction: a.completeNetworks,
		RunE: func(cmd *cobra.Command, args []string) error { return runNetShow(cmd, a, args[0], asJSON) },
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return cmd
}

func runNetShow(cmd *cobra.Command, a *app, name string, asJSON bool) error {
	m, err := a.manager()
	if err != nil {
		return err
	}
	n, err := m.Network(cmd.Context(), name)
	if err != nil {
		return err
	}
	if asJSON {
		return a.printJSON(n)
	}
	return a.printNetwork(n)
}

func (a *app) printNetwork(n *guest.Network) error {
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	line := func(key, value string) { fmt.Fprintf(w, "%s:\t%s\n", key, escape(value)) }
	line("name", n.Name)
	line("state", netState(n))
	if n.Error != "" {
		line("error", n.Error)
	}
	if len(n.Lacks) > 0 {
		line("lacks", strings.Join(n.Lacks, ", "))
	}
	line("device", n.Device)
	line("ipv4", prefixText(n.IPv4))
	line("ipv6", prefixText(n.IPv6))
	line("does", strings.Join(networkTraits(n), ", "))
	line("domain", n.Domain)
	if n.MTU > 0 {
		line("mtu", fmt.Sprint(n.MTU))
	}
	line("file", n.File)
	if err := w.Flush(); err != nil || len(n.Leases) == 0 {
		return err
	}
	w = tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\nGUEST\tINTERFACE\tMAC\tADDRESSES")
	for _, l := range n.Leases {
		name := l.Guest
		if slices.Contains(n.Running, name) {
			name += " *"
		}
		var addresses []string
		for _, p := range l.Addresses {
			addresses = append(addresses, p.Addr().String())
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", escape(name), escape(l.Interface), escape(l.MAC), strings.Join(addresses, " "))
	}
	return w.Flush()
}

// networkTraits are what a network does for its guests.
func networkTraits(n *guest.Network) []string {
	list := []string{"routing"}
	for _, t := range []struct {
		has  bool
		name string
	}{{n.NAT, "NAT"}, {n.DHCP, "DHCP"}, {n.DNS, "DNS"}, {n.Isolate, "isolation"}} {
		if t.has {
			list = append(list, t.name)
		}
	}
	return list
}

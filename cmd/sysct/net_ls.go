package main

import (
	"fmt"
	"net/netip"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/sysct/sysct/pkg/guest"
)

const netLsLong = `List the networks: whether each is up, the host's addresses on it with the lengths of
its subnets, and how many guests have addresses on it. A network whose subnets were
never needed has none yet: they are chosen when the first guest has an interface on it.`

func newNetLs(a *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "ls", Aliases: []string{"list"}, Short: "List the networks", Long: netLsLong,
		Example: "  sysct net ls\n  sysct net ls --json | jq -r '.[].ipv4'",
		Args:    noArgs, ValidArgsFunction: words(),
		RunE: func(cmd *cobra.Command, _ []string) error { return runNetLs(cmd, a, asJSON) },
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "everything, as a JSON array")
	return cmd
}

func runNetLs(cmd *cobra.Command, a *app, asJSON bool) error {
	m, err := a.manager()
	if err != nil {
		return err
	}
	list, err := m.Networks(cmd.Context())
	if err != nil {
		return err
	}
	if asJSON {
		return a.printJSON(list)
	}
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tSTATE\tIPV4\tIPV6\tGUESTS")
	for i := range list {
		n := &list[i]
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\n", escape(n.Name), netState(n), prefixText(n.IPv4), prefixText(n.IPv6), len(guestsOn(n)))
	}
	return w.Flush()
}

// netState is what a network is, in a word.
func netState(n *guest.Network) string {
	switch {
	case n.Error != "":
		return "BROKEN"
	case n.Up && len(n.Lacks) > 0:
		return "DAMAGED"
	case n.Up:
		return "UP"
	}
	return "DOWN"
}

func prefixText(p netip.Prefix) string {
	if !p.IsValid() {
		return "-"
	}
	return p.String()
}

// guestsOn are the guests with addresses on a network, each once.
func guestsOn(n *guest.Network) []string {
	var names []string
	for _, l := range n.Leases {
		if len(names) == 0 || names[len(names)-1] != l.Guest {
			names = append(names, l.Guest)
		}
	}
	return names
}

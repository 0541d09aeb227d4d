package main

import (
	"slices"

	"github.com/spf13/cobra"

	"github.com/sysct/sysct/pkg/guest/spec"
)

const netLong = `Networks are bridges on the host, with subnets, a name server and a DHCP server for the
guests on them. ` + spec.DefaultNetwork + ` is always there; net create makes others. One is brought up
when the first guest on it starts, or by net up. Each action has a help and a manual
page of its own: sysct net ACTION --help, man sysct-net-ACTION. The keys of a network's
file are in sysct-network(5).`

// newNet is the parent of the verbs that are about networks.
func newNet(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "net ACTION", Aliases: []string{"network"}, Short: "List, make and repair the networks of guests", Long: netLong,
		Example: "  sysct net ls\n  sysct net create dmz --isolate && sysct set web net[0].network=dmz",
		Args:    unknownAction,
		RunE:    func(*cobra.Command, []string) error { return missing("action") },
	}
	for _, v := range netVerbs() {
		cmd.AddCommand(v.command(a))
	}
	return cmd
}

// netVerbs are the actions of net.
func netVerbs() []verb {
	return []verb{
		{"", "ls list", newNetLs},
		{"", "show", newNetShow},
		{"", "up", newNetUp},
		{"", "down", newNetDown},
		{"", "create", newNetCreate},
		{"", "rm remove", newNetRm},
		{"", "add", newNetAdd},
		{"", "repair", newNetRepair},
	}
}

// oneNetwork: a network's name, and nothing else.
func oneNetwork(_ *cobra.Command, args []string) error {
	switch len(args) {
	case 0:
		return missing("network's name")
	case 1:
		return nil
	}
	return tooMany(args[1])
}

// completeNetworks completes networks' names, one.
func (a *app) completeNetworks(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	m, err := a.manager()
	if err != nil || len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	names, _ := m.NetworkNames()
	return names, cobra.ShellCompDirectiveNoFileComp
}

// completeNewNetwork completes what a new guest may be on.
func (a *app) completeNewNetwork(cmd *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
	names, how := a.completeNetworks(cmd, nil, typed)
	return append(names, spec.NetNone, spec.NetHost), how
}

// completeOthers completes the networks that net rm removes.
func (a *app) completeOthers(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	names, how := a.completeNetworks(cmd, args, typed)
	return slices.DeleteFunc(names, func(name string) bool { return name == spec.DefaultNetwork }), how
}

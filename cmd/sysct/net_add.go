package main

import (
	"github.com/spf13/cobra"

	"github.com/sysct/sysct/pkg/guest"
)

const netAddLong = `Give a guest another interface: at once if it runs, or nothing is changed.

It is an entry of [[net]] in the guest's config.toml, with the keys that are given; without
any it is on the network sysctbr0. sysct-config(5) has the keys. net rm takes one away again.`

const netAddExample = `  sysct net add web
  sysct net add web network=dmz name=dmz0
  sysct net add web type=macvlan parent=enp3s0 ipv4=192.168.1.10/24`

func newNetAdd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "add NAME [KEY=VALUE...]", Short: "Give a guest another interface", Long: netAddLong, Example: netAddExample,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return missing("guest name")
			}
			return nil
		},
		ValidArgsFunction: a.completeGuests,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.changeInterfaces(args[0], func(m *guest.Manager) (*guest.ConfigChange, error) {
				return m.AddInterface(cmd.Context(), args[0], args[1:])
			})
		},
	}
}

// removeInterface is the verb net rm with a guest's name and an interface's.
func (a *app) removeInterface(cmd *cobra.Command, name, iface string) error {
	return a.changeInterfaces(name, func(m *guest.Manager) (*guest.ConfigChange, error) {
		return m.RemoveInterface(cmd.Context(), name, iface)
	})
}

func (a *app) changeInterfaces(name string, do func(*guest.Manager) (*guest.ConfigChange, error)) error {
	m, err := a.manager()
	if err != nil {
		return err
	}
	change, err := do(m)
	if err != nil {
		return about(name, err)
	}
	return a.printWaiting(name, change)
}

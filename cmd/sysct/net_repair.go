package main

import (
	"errors"

	"github.com/spf13/cobra"
)

const netRepairLong = `Bring back what others have taken of the networks that are up, and print it: a bridge that
was deleted, its addresses, rules that were flushed, dnsmasq, and interfaces of guests
that run. The guests run on and keep their addresses. sysct host run does the same by
itself. Files of addresses or subnets that are damaged are made anew, of what guests that
run have, and kept beside as NAME.damaged.`

func newNetRepair(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "repair", Short: "Bring back what lacks of the networks that are up", Long: netRepairLong,
		Example: "  sysct net repair",
		Args:    noArgs, ValidArgsFunction: words(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			m, err := a.manager()
			if err != nil {
				return err
			}
			lines, err := m.NetworkRepair(cmd.Context())
			for _, line := range lines {
				err = errors.Join(err, a.printf("%s\n", escape(line)))
			}
			return err
		},
	}
}

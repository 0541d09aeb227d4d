package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/sysct/sysct/pkg/guest"
	"github.com/sysct/sysct/pkg/guest/state"
)

const renameLong = `Give a stopped guest another name.

Its logs, its ids and its last exit go with it. Its system gets the new host name,
in /etc/hostname and /etc/hosts, if it had the old name; --keep-name leaves that.`

func newRename(a *app) *cobra.Command {
	o := &guest.RenameOptions{}
	cmd := &cobra.Command{
		Use: "rename OLD NEW", Short: "Give a stopped guest another name", Long: renameLong,
		Args: twoGuests, ValidArgsFunction: a.guests(1, state.Stopped),
		Example: "  sysct rename web www",
		RunE: func(cmd *cobra.Command, args []string) error {
			m, err := a.manager()
			if err != nil {
				return err
			}
			return about(args[0], m.Rename(cmd.Context(), args[0], args[1], *o))
		},
	}
	cmd.Flags().BoolVar(&o.KeepName, "keep-name", false, "leave the system its host name")
	return cmd
}

// twoGuests is the argument rule of a verb from one guest's name to another.
func twoGuests(_ *cobra.Command, args []string) error {
	switch len(args) {
	case 0:
		return usage(errors.New("missing guest name"))
	case 1:
		return usage(errors.New("missing new name"))
	case 2:
		return nil
	}
	return usage(errors.New("too many arguments: " + args[2]))
}

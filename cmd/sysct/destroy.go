package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/sysct/sysct/pkg/guest"
)

type destroyOptions struct {
	selection
	force bool
}

const destroyLong = `Remove guests with all that they hold: the root file system, the configuration, the
logs. Images of templates stay for the next guest. A guest that runs is an error, 2.`

func newDestroy(a *app) *cobra.Command {
	o := &destroyOptions{selection: selection{strict: true, reverse: true}}
	cmd := &cobra.Command{
		Use: "destroy NAME...", Aliases: []string{"delete", "rm"}, Short: "Remove guests with all that they hold", Long: destroyLong,
		Example: "  sysct destroy web\n  sysct destroy -f web tiny",
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.each(cmd, a, args, func(ctx context.Context, m *guest.Manager, name string) error {
				return m.Destroy(ctx, name, guest.DestroyOptions{Force: o.force})
			})
		},
	}
	o.flags(cmd, a)
	cmd.Flags().BoolVarP(&o.force, "force", "f", false, "kill a running guest first")
	return cmd
}

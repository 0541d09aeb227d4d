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

func newDestroy(a *app) *cobra.Command {
	o := &destroyOptions{}
	cmd := &cobra.Command{
		Use: "destroy NAME...", Aliases: []string{"delete", "rm"}, Short: "Remove guests with all that they hold",
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

package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/sysct/sysct/internal/signame"
	"github.com/sysct/sysct/pkg/guest"
)

type killOptions struct {
	selection
	signal string
}

func newKill(a *app) *cobra.Command {
	o := &killOptions{}
	cmd := &cobra.Command{
		Use: "kill NAME...", Short: "Send a signal to the guests' init",
		Long:    "Send a signal to the guests' init. SIGKILL, the default, ends all of a guest's\nprocesses at once, frozen or not.",
		Example: "  sysct kill web\n  sysct kill -s SIGHUP web",
		RunE: func(cmd *cobra.Command, args []string) error {
			sig, err := signame.Parse(o.signal)
			if err != nil {
				return usage(err)
			}
			return o.each(cmd, a, args, func(ctx context.Context, m *guest.Manager, name string) error {
				return m.Kill(ctx, name, sig)
			})
		},
	}
	o.flags(cmd, a, upStates()...)
	cmd.Flags().StringVarP(&o.signal, "signal", "s", "SIGKILL", "the signal, by name or number")
	completeFlag(cmd, "signal", completeSignals)
	return cmd
}

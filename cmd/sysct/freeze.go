package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/sysct/sysct/pkg/guest"
	"github.com/sysct/sysct/pkg/guest/state"
)

const freezeLong = `Freeze guests, or thaw them. A frozen guest keeps its memory and gets no processor
time: its processes don't notice, but for clocks that went on. If not all of them have
stopped in time, those that have run on.`

type freezeOptions struct {
	selection
	timeout durationFlag
}

func newFreeze(a *app) *cobra.Command {
	return newFreezer(a, "freeze", "Stop every process of guests where it is", []string{"pause"}, (*guest.Manager).Freeze, state.Running, state.Thawed)
}

func newThaw(a *app) *cobra.Command {
	return newFreezer(a, "thaw", "Let frozen guests run on", []string{"unfreeze", "resume"}, (*guest.Manager).Thaw, state.Frozen, state.Freezing)
}

func newFreezer(a *app, verb, short string, aliases []string, do func(*guest.Manager, context.Context, string, time.Duration) error, states ...state.State) *cobra.Command {
	o := &freezeOptions{}
	cmd := &cobra.Command{
		Use: verb + " NAME...", Aliases: aliases, Short: short, Long: freezeLong,
		Example: "  sysct " + verb + " web\n  sysct " + verb + " --all",
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.each(cmd, a, args, func(ctx context.Context, m *guest.Manager, name string) error {
				return do(m, ctx, name, o.timeout.or(0))
			})
		},
	}
	o.flags(cmd, a, states...)
	cmd.Flags().VarP(&o.timeout, "timeout", "t", "how long it may take (default 10s)")
	return cmd
}

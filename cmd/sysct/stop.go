package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/sysct/sysct/pkg/guest"
)

type stopOptions struct {
	selection
	timeout durationFlag
	nokill  bool
	nowait  bool
	kill    bool
}

const stopLong = `Stop guests: each by its own shutdown, and by a kill when its time is over.

A frozen guest is thawed first. A guest that isn't running is an error, 2. With --all or
-g guests are stopped in the reverse of the order in which they are started: those of
the highest autostart.order first.`

func newStop(a *app) *cobra.Command {
	o := &stopOptions{selection: selection{reverse: true}}
	cmd := &cobra.Command{
		Use: "stop NAME...", Short: "Stop guests by their own shutdown", Long: stopLong,
		Example: "  sysct stop web\n  sysct stop --all -j 4\n  sysct stop -t 10 --nokill web",
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.each(cmd, a, args, func(ctx context.Context, m *guest.Manager, name string) error {
				return m.Stop(ctx, name, o.guest())
			})
		},
	}
	o.flags(cmd, a)
	cmd.Flags().BoolVarP(&o.nowait, "no-wait", "W", false, "return as soon as it has been told to")
	return cmd
}

const restartLong = `Stop guests and start them again, with the configuration that they have then.

The verb returns when init runs again; with --wait when the guest is ready. A guest
that isn't running is an error, 2.`

func newRestart(a *app) *cobra.Command {
	o, after := &stopOptions{}, &afterStart{}
	cmd := &cobra.Command{
		Use: "restart NAME...", Aliases: []string{"reboot"}, Short: "Stop guests and start them again",
		Long:    restartLong,
		Example: "  sysct restart web\n  sysct restart -t 10 --wait web",
		RunE: func(cmd *cobra.Command, args []string) error {
			if after.console && (o.many() || len(args) > 1) {
				return usage(errors.New("--console wants exactly one guest"))
			}
			return o.each(cmd, a, args, func(ctx context.Context, m *guest.Manager, name string) error {
				if err := m.Restart(ctx, name, o.guest()); err != nil {
					return err
				}
				return after.run(ctx, a, m, name)
			})
		},
	}
	o.flags(cmd, a)
	after.flags(cmd, "wait-timeout")
	return cmd
}

func (o *stopOptions) flags(cmd *cobra.Command, a *app) {
	o.selection.flags(cmd, a, upStates()...)
	f := cmd.Flags()
	f.VarP(&o.timeout, "timeout", "t", "how long its shutdown may take (default: its configuration's, 60s)")
	f.BoolVar(&o.nokill, "nokill", false, "fail when the time is over instead of killing it")
	f.BoolVarP(&o.kill, "kill", "k", false, "kill it at once")
	exclusive(cmd, "kill", "nokill")
}

func (o *stopOptions) guest() guest.StopOptions {
	return guest.StopOptions{Timeout: o.timeout.value, NoKill: o.nokill, Kill: o.kill, NoWait: o.nowait}
}

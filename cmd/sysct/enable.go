package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/sysct/sysct/pkg/guest"
	"github.com/sysct/sysct/pkg/host"
)

const enableLong = `Have guests started with the host, by its service: autostart.enabled in their
configuration. They aren't started now.

Guests of a lower autostart.order are started first, and stopped last. autostart.delay,
after, requires and groups say more: see sysct-config(5), and sysct host run --help for
the service.`

const disableLong = `Have guests not started with the host any more. They aren't stopped. A guest that an
enabled one requires is started all the same.`

func newEnable(a *app) *cobra.Command {
	return newEnabler(a, "enable", "Have guests started with the host", enableLong, true)
}

func newDisable(a *app) *cobra.Command {
	return newEnabler(a, "disable", "Have guests not started with the host", disableLong, false)
}

func newEnabler(a *app, verb, short, long string, on bool) *cobra.Command {
	o := &selection{}
	cmd := &cobra.Command{
		Use: verb + " NAME...", Short: short, Long: long,
		Example: "  sysct " + verb + " web db\n  sysct " + verb + " -g night",
		RunE: func(cmd *cobra.Command, args []string) error {
			err := o.each(cmd, a, args, func(ctx context.Context, m *guest.Manager, name string) error {
				return m.Enable(ctx, name, on)
			})
			if err == nil && on && !a.quiet && !host.Running(a.mgr) {
				a.warn("the host service, which starts guests, does not run" + serviceHint(a.mgr))
			}
			return err
		},
	}
	o.flags(cmd, a)
	return cmd
}

// serviceHint says how the host service is started here.
func serviceHint(m *guest.Manager) string {
	if m.Units() {
		return "\nhint: systemctl enable --now sysct"
	}
	return "\nhint: sysct host run"
}

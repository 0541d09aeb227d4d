package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/sysct/sysct/pkg/guest"
)

const upgradeLong = `Have the monitors of running guests, all or those named, execute this version's program
in their place. The guests run on: a monitor stays the same process, and clients that
are attached to a console attach again. A monitor that is starting or stopping its guest
is waited for, for a minute.

One from before upgrades were known is replaced by another process. The holder, which
keeps the monitors where the host's service manager doesn't, is upgraded first.`

func newUpgrade(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "upgrade [NAME...]", Short: "Have running monitors execute this version of sysct", Long: upgradeLong,
		Example:           "  sysct upgrade\n  sysct upgrade web db",
		Args:              func(_ *cobra.Command, args []string) error { return noneTwice(args) },
		ValidArgsFunction: a.guests(0, upStates()...),
		RunE: func(cmd *cobra.Command, args []string) error {
			m, err := a.manager()
			if err != nil {
				return err
			}
			return a.upgrade(cmd.Context(), m, args)
		},
	}
}

func (a *app) upgrade(ctx context.Context, m *guest.Manager, names []string) error {
	u, err := m.NewUpgrader(ctx)
	if err != nil {
		return err
	}
	defer u.Close()
	all := len(names) == 0
	if all {
		if names, err = u.Running(ctx); err != nil {
			return err
		}
	}
	var errs []error
	for _, name := range names {
		done, err := u.Upgrade(ctx, name)
		if all && errors.Is(err, guest.ErrState) {
			continue // it has stopped meanwhile
		}
		if err == nil && !a.quiet {
			err = a.printf("%s: %s\n", name, upgradeText(done))
		}
		errs = append(errs, about(name, err))
	}
	if err := a.reportAll("upgrade", errs); err != nil {
		return &statusError{status: exitError, err: errReported}
	}
	return nil
}

// upgradeText is what became of a guest's monitor.
func upgradeText(u *guest.Upgraded) string {
	from, to := u.From, u.To
	if from == "" {
		from = "an older version"
	}
	switch {
	case u.Current:
		return "runs " + to + " already"
	case u.Replaced:
		return "replaced " + from + " by " + to
	}
	return "upgraded from " + from + " to " + to
}

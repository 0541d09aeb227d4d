package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/guest"
	"github.com/sysct/sysct/pkg/guest/state"
)

type startOptions struct {
	selection
	afterStart
	foreground bool
}

const startLong = `Start guests.

The verb returns when the guest's init runs; with --wait when the guest is ready,
as wait NAME ready has it; a guest that ends before that is an error, 1. Where guests
are units of systemd a start is a job of systemd's, and always waits for that, as long as
-T says if it is given; the start goes on after it. With -F the
console stays on this terminal, or is written where there is none, and the verb ends
with the guest; a signal to it stops the guest, and after a SIGTERM the status is 0.

With --all or -g guests are started by their autostart.order, lower first, and after
those that their autostart.after and requires name; with -j those of one order at the
same time. Delays count for the host service only.`

func newStart(a *app) *cobra.Command {
	o := &startOptions{}
	cmd := &cobra.Command{
		Use: "start NAME...", Short: "Start guests", Long: startLong,
		Example: "  sysct start web db\n  sysct start --wait web\n  sysct start -g db -j 4\n  sysct start -F web",
		RunE:    func(cmd *cobra.Command, args []string) error { return runStart(cmd, a, o, args) },
	}
	o.selection.flags(cmd, a, state.Stopped)
	o.afterStart.flags(cmd, "timeout")
	cmd.Flags().BoolVarP(&o.foreground, "foreground", "F", false, "stay, with the console on this terminal, until the guest ends")
	return cmd
}

func runStart(cmd *cobra.Command, a *app, o *startOptions, args []string) error {
	if (o.foreground || o.console) && (o.many() || len(args) > 1) {
		return usage(errors.New("-F and --console want exactly one guest"))
	}
	return o.each(cmd, a, args, func(ctx context.Context, m *guest.Manager, name string) error {
		if err := m.Start(ctx, name, guest.StartOptions{Early: o.foreground || o.console, Patience: o.timeout.value}); err != nil {
			return err
		}
		if o.foreground {
			return a.foreground(ctx, m, name)
		}
		return o.afterStart.run(ctx, a, m, name)
	})
}

// foreground shows the console until the guest ends; a detach leaves it to wait.
func (a *app) foreground(ctx context.Context, m *guest.Manager, name string) error {
	err := a.attach(ctx, m, name, consoleOptions{escape: defaultEscape, stay: true})
	var signalled *statusError
	if errors.As(err, &signalled) || ctx.Err() != nil {
		return a.endForeground(ctx, m, name, err)
	}
	if err != nil && !errors.Is(err, guest.ErrState) {
		return err
	}
	if err == nil && a.runs(ctx, m, name) {
		fmt.Fprintf(a.err, "sysct: detached; %s runs on here: Ctrl-C stops it\n", name)
	}
	err = m.Wait(ctx, name, guest.WaitOptions{States: []state.State{state.Stopped}})
	a.discardInput()
	if ctx.Err() != nil {
		return a.endForeground(ctx, m, name, err)
	}
	return err
}

func (a *app) runs(ctx context.Context, m *guest.Manager, name string) bool {
	info, err := m.Info(ctx, name)
	return err == nil && info.State != state.Stopped
}

// endForeground: a signal came, or the terminal went. A foreground guest ends
// with its foreground. SIGTERM is how service managers ask for just that, and one that
// was followed is no failure to them.
func (a *app) endForeground(ctx context.Context, m *guest.Manager, name string, cause error) error {
	err := m.Stop(context.WithoutCancel(ctx), name, guest.StopOptions{})
	if err != nil && !errors.Is(err, guest.ErrState) {
		return err
	}
	var signalled *statusError
	if a.interrupted() == unix.SIGTERM || errors.As(cause, &signalled) && signalled.status == 128+int(unix.SIGTERM) {
		return nil
	}
	return cause
}

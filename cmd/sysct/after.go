package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/sysct/sysct/pkg/guest"
)

// afterStart is what a verb does with a guest that it has started.
type afterStart struct {
	console bool
	wait    bool
	timeout durationFlag
}

// startPatience is how long --wait waits.
const startPatience = 5 * time.Minute

// flags adds the flags; timeout is the name of the one for --wait, whose letter is T.
func (o *afterStart) flags(cmd *cobra.Command, timeout string) {
	f := cmd.Flags()
	f.BoolVar(&o.console, "console", false, "attach to the console once it is started")
	f.BoolVar(&o.wait, "wait", false, "wait until it is ready")
	f.VarP(&o.timeout, timeout, "T", "how long --wait waits (default 5m)")
}

func (o *afterStart) run(ctx context.Context, a *app, m *guest.Manager, name string) error {
	switch {
	case o.console:
		return a.attach(ctx, m, name, consoleOptions{escape: defaultEscape})
	case o.wait:
		patience := o.timeout.or(startPatience)
		return notReady(hintWhy(name, m.Wait(ctx, name, guest.WaitOptions{Ready: true, Started: true, Timeout: &patience})))
	}
	return nil
}

// notReady: a guest that ended on its way up is a start that failed. It isn't in the
// wrong state for the verb, which is what ErrState tells a script, and --all.
func notReady(err error) error {
	if errors.Is(err, guest.ErrState) {
		return errors.New(err.Error())
	}
	return err
}

package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/signame"
	"github.com/sysct/sysct/pkg/guest"
)

type killOptions struct {
	selection
	signal string
	list   bool
}

const killLong = `Send a signal to the guests' init. SIGKILL, the default, ends all of a guest's
processes at once, frozen or not. A signal is a name or a number, after -s or, as for
kill(1), alone after the verb: kill -9, kill -HUP.`

func newKill(a *app) *cobra.Command {
	o := &killOptions{selection: selection{reverse: true}}
	cmd := &cobra.Command{
		Use: "kill NAME...", Short: "Send a signal to the guests' init",
		Long:    killLong,
		Example: "  sysct kill web\n  sysct kill -s SIGHUP web\n  sysct kill -l",
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.list {
				return a.printf("%s\n", strings.Join(signalNames(), "\n"))
			}
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
	names := cmd.Args
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if o.list {
			return noArgs(cmd, args)
		}
		return names(cmd, args)
	}
	cmd.Flags().BoolVarP(&o.list, "list", "l", false, "list the names of the signals")
	cmd.Flags().StringVarP(&o.signal, "signal", "s", "SIGKILL", "the signal, by name or number")
	completeFlag(cmd, "signal", completeSignals)
	return cmd
}

// plainSignal gives a kill's arguments with the signal that stands there as for kill(1),
// -9 or -HUP, after -s. The verb has no flag of digits or capitals.
func plainSignal(args []string) []string {
	if len(args) < 2 || args[0] != "kill" || len(args[1]) < 2 || args[1][0] != '-' {
		return args
	}
	word := args[1][1:]
	if strings.Trim(word, "0123456789") != "" && strings.ToUpper(word) != word || word[0] == '-' {
		return args
	}
	return append([]string{"kill", "-s", word}, args[2:]...)
}

// signalNames are those of the signals that aren't real-time ones.
func signalNames() []string {
	var names []string
	for sig := unix.Signal(1); sig < 32; sig++ {
		if name := unix.SignalName(sig); name != "" {
			names = append(names, name)
		}
	}
	return names
}

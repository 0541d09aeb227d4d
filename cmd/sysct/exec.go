package main

import (
	"errors"
	"os"
	"os/signal"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"github.com/sysct/sysct/pkg/guest"
	"github.com/sysct/sysct/pkg/guest/state"
)

type execOptions struct {
	user, cwd  string
	env        []string
	tty, noTTY bool
}

const execLong = `Run a command in a running guest.

The environment is clean, the working directory the user's home. With a terminal
on standard input and output the command gets a terminal of the guest's own;
otherwise pipes, byte for byte. Signals are passed on.

` + execStatus

const execExample = `  sysct exec web -- systemctl is-system-running
  tar -c dir | sysct exec web --cwd /srv -- tar -x
  sysct exec web -u nobody -e LANG=C -- id`

const execStatus = `EXIT STATUS
  the command's own, 128+N if signal N killed it
  2    the guest isn't running       126  the command can't be executed
  3    no such guest                 127  the command isn't found
  125  bad usage, or sysct itself failed`

func newExec(a *app) *cobra.Command {
	o := &execOptions{}
	cmd := &cobra.Command{
		Use: "exec NAME [flags] -- COMMAND [ARGUMENT...]", Aliases: []string{"attach"},
		Short: "Run a command in a guest", Long: execLong,
		Args: asExec(execArgs), ValidArgsFunction: a.guests(1, state.Running, state.Thawed),
		Example: execExample,
		RunE: func(cmd *cobra.Command, args []string) error {
			return runExec(cmd, a, o, args[0], guest.ExecOptions{Args: args[1:]})
		},
	}
	o.flags(cmd)
	return cmd
}

func newShell(a *app) *cobra.Command {
	o := &execOptions{}
	cmd := &cobra.Command{
		Use: "shell NAME [flags] [-- ARGUMENT...]", Aliases: []string{"enter"}, Short: "Run the user's login shell in a guest",
		Long: "Run the user's login shell in a running guest: root's, or --user's.\n\n" + execStatus,
		Args: asExec(shellArgs), ValidArgsFunction: a.guests(1, state.Running, state.Thawed),
		Example: "  sysct shell web\n  sysct shell web -u www-data\n  sysct shell web -- -c 'ulimit -a'",
		RunE: func(cmd *cobra.Command, args []string) error {
			return runExec(cmd, a, o, args[0], guest.ExecOptions{Shell: true, Args: args[1:]})
		},
	}
	o.flags(cmd)
	return cmd
}

func (o *execOptions) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVarP(&o.user, "user", "u", "", "user in the guest: name, id, name:group, id:id")
	f.StringVar(&o.cwd, "cwd", "", "working directory in the guest")
	f.StringArrayVarP(&o.env, "env", "e", nil, "set a variable, `NAME=VALUE`; may be repeated")
	f.BoolVar(&o.tty, "tty", false, "give it a terminal")
	f.BoolVarP(&o.noTTY, "no-tty", "T", false, "give it pipes even on a terminal")
	exclusive(cmd, "tty", "no-tty")
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return execFailed(flagError(cmd, err)) })
}

// asExec gives bad usage exec's own status: 4 could be the command's.
func asExec(rule cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := rule(cmd, args); err != nil {
			return execFailed(err)
		}
		return nil
	}
}

func execArgs(cmd *cobra.Command, args []string) error {
	if err := shellArgs(cmd, args); err != nil {
		return err
	}
	if len(args) < 2 || args[1] == "" {
		return missing("command\nhint: sysct exec NAME -- COMMAND")
	}
	return nil
}

// shellArgs: one name, and what is the command's only after --.
func shellArgs(cmd *cobra.Command, args []string) error {
	dash := cmd.ArgsLenAtDash()
	switch {
	case len(args) == 0 || dash == 0:
		return missing("guest name")
	case dash > 1:
		return invalid("too many arguments before --: %s", escape(args[1]))
	case dash < 0 && len(args) > 1:
		return invalid("put -- before the command")
	}
	return nil
}

func runExec(cmd *cobra.Command, a *app, o *execOptions, name string, x guest.ExecOptions) error {
	env, err := guest.ParseEnv(o.env)
	if err != nil {
		return execFailed(err)
	}
	m, err := a.manager()
	if err != nil {
		return execFailed(err)
	}
	x.User, x.Cwd, x.Env, x.Term = o.user, o.cwd, env, os.Getenv("TERM")
	x.Stdin, x.Stdout, x.Stderr = a.in, a.out, a.err
	x.TTY = o.tty || !o.noTTY && term.IsTerminal(int(a.in.Fd())) && term.IsTerminal(int(a.out.Fd()))
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT, unix.SIGUSR1, unix.SIGUSR2,
		// Stopped itself, it would keep the command unreaped, and with it the guest from stopping.
		unix.SIGTSTP, unix.SIGCONT)
	// Nor may reading a terminal from the background stop it.
	signal.Ignore(unix.SIGTTIN, unix.SIGTTOU)
	defer signal.Stop(signals)
	x.Signals = signals
	status, err := m.Exec(cmd.Context(), name, x)
	if err != nil {
		return execFailed(about(name, err))
	}
	if status != 0 {
		return &statusError{status: status}
	}
	return nil
}

// execFailed gives exec's own statuses to what is not the command's doing.
func execFailed(err error) error {
	switch {
	case errors.Is(err, guest.ErrNoGuest), errors.Is(err, guest.ErrState):
		return err
	case errors.Is(err, guest.ErrNoCommand):
		return &statusError{127, err}
	case errors.Is(err, guest.ErrCommand):
		return &statusError{126, err}
	}
	return &statusError{125, err}
}

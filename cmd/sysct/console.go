package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"github.com/sysct/sysct/pkg/guest"
	"github.com/sysct/sysct/pkg/guest/console/terminal"
)

// defaultEscape is what begins a command to the console itself, as LXC has it.
const defaultEscape = "^a"

type consoleOptions struct {
	tty    int
	escape string
	log    bool
	tail   int
	stay   bool // after the end of the input too
}

const consoleLong = `Attach to a guest's console, or with -t N to its Nth terminal.

What it showed last comes first. Ctrl-a q detaches; Ctrl-a Ctrl-a types a Ctrl-a.
Several may attach to one terminal: all see it, all type, the last to resize sets
its size. With --log what the console showed is printed instead, running or not.`

func newConsole(a *app) *cobra.Command {
	o := &consoleOptions{}
	cmd := &cobra.Command{
		Use: "console NAME", Short: "Attach to a guest's console", Long: consoleLong,
		Args: oneGuest, ValidArgsFunction: a.guests(1, upStates()...),
		Example: "  sysct console web\n  sysct console -t 1 -e ^b web\n  sysct console --log -n 20 web",
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.tail != allLines && !o.log || o.tail < allLines {
				return usage(errors.New("--lines goes with --log, and must not be negative"))
			}
			m, err := a.manager()
			if err != nil {
				return err
			}
			if o.log && o.tty > 0 {
				return usage(errors.New("--log is of the console alone: terminals have none"))
			}
			if o.log {
				return about(args[0], m.ConsoleLog(cmd.Context(), args[0], a.out, o.tail))
			}
			return about(args[0], a.attach(cmd.Context(), m, args[0], *o))
		},
	}
	f := cmd.Flags()
	f.IntVarP(&o.tty, "tty", "t", 0, "terminal N instead of the console")
	f.StringVarP(&o.escape, "escape", "e", defaultEscape, "escape character: ^x, x or none")
	f.BoolVar(&o.log, "log", false, "print what the console showed")
	f.IntVarP(&o.tail, "lines", "n", allLines, "with --log: the last N lines only, -1: all")
	return cmd
}

// attach joins this terminal with one of the guest's until detached.
func (a *app) attach(ctx context.Context, m *guest.Manager, name string, o consoleOptions) error {
	escape, err := terminal.ParseEscape(o.escape)
	if err != nil {
		return usage(err)
	}
	if o.tty < 0 {
		return usage(errors.New("--tty must not be negative"))
	}
	conn, err := m.Console(ctx, name, guest.ConsoleOptions{TTY: o.tty})
	if err != nil {
		return err
	}
	defer conn.Close()
	end, err := terminal.Attach(terminal.Options{In: a.in, Out: a.out, Conn: conn, Escape: escape, Stay: o.stay,
		Resize: func(rows, cols uint16) { conn.Resize(rows, cols) }, Banner: a.banner(o.tty, escape)})
	switch {
	case err != nil:
		return err
	case end.Reason == terminal.Signalled:
		if sig, ok := end.Signal.(unix.Signal); ok {
			return &statusError{status: 128 + int(sig)}
		}
	case end.Reason == terminal.Gone && term.IsTerminal(int(a.out.Fd())):
		a.discardInput()
		fmt.Fprintf(a.err, "\r\nsysct: the console of %s is closed: the guest has ended, or its monitor was replaced\r\nhint: sysct console %s\r\n", name, name)
	}
	return nil
}

// banner is the known line on attach; it would only be in the way of a program.
func (a *app) banner(tty int, escape terminal.Escape) string {
	if !term.IsTerminal(int(a.out.Fd())) {
		return ""
	}
	return terminal.Banner(tty, escape)
}

// discardInput throws away what was typed for a console that is gone: the shell
// here would run it.
func (a *app) discardInput() { unix.IoctlSetInt(int(a.in.Fd()), unix.TCFLSH, unix.TCIFLUSH) }

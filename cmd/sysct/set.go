package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sysct/sysct/pkg/guest"
	"github.com/sysct/sysct/pkg/guest/spec"
)

const setLong = `Set keys of a guest's configuration, all of them or none.

A value is read by its key's type: strings, sizes and durations are written without
quotes; a list as words with commas between them, or as in TOML where a word has a
comma in it. What else is in config.toml stays as it is, comments and all. Nothing is
written unless the whole file is right then. If the guest runs, its limits count at once, or
nothing is written, also where the kernel's file has something else, as by sysct cgroup; it
is said which keys wait for its next start. sysct-config(5) has
the keys.`

const setExample = `  sysct set web limits.memory=512M limits.cpu_quota=150%
  sysct set web env.LANG=C.UTF-8 net[0].type=host
  sysct set web 'init.cmd=["/bin/sh", "-c", "echo a,b; exec /sbin/init"]'`

func newSet(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "set NAME KEY=VALUE...", Short: "Set keys of a guest's configuration", Long: setLong, Example: setExample,
		Args: keysArgs("KEY=VALUE"), ValidArgsFunction: a.completeKeys(0, cobra.ShellCompDirectiveNoSpace, assignable, newKeys()...),
		RunE: func(cmd *cobra.Command, args []string) error {
			changes, err := parseChanges(args[1:])
			if err != nil {
				return err
			}
			return runSet(cmd, a, args[0], changes)
		},
	}
	return cmd
}

const unsetLong = `Remove keys from a guest's configuration: they are at their defaults then.

The line of a key goes, with a comment on it; all else in config.toml stays as it is.
An entry of a list goes as a whole: net[0]. A key that isn't there is no error.`

const unsetExample = `  sysct unset web limits.memory env.LANG
  sysct unset web net[0]`

func newUnset(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "unset NAME KEY...", Short: "Remove keys from a guest's configuration", Long: unsetLong, Example: unsetExample,
		Args: keysArgs("key"), ValidArgsFunction: a.completeKeys(0, 0, removable),
		RunE: func(cmd *cobra.Command, args []string) error {
			var changes []spec.Change
			for _, key := range args[1:] {
				changes = append(changes, spec.Change{Key: key, Unset: true})
			}
			return runSet(cmd, a, args[0], changes)
		},
	}
	return cmd
}

// keysArgs is the argument rule of a verb with one guest and some keys.
func keysArgs(what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		switch len(args) {
		case 0:
			return missing("guest name")
		case 1:
			return missing(what)
		}
		return nil
	}
}

// parseChanges reads KEY=VALUE arguments.
func parseChanges(args []string) ([]spec.Change, error) {
	var changes []spec.Change
	for _, arg := range args {
		change, err := spec.ParseChange(arg)
		if err != nil {
			return nil, usage(err)
		}
		changes = append(changes, change)
	}
	return changes, nil
}

func runSet(cmd *cobra.Command, a *app, name string, changes []spec.Change) error {
	m, err := a.manager()
	if err != nil {
		return err
	}
	change, err := m.SetConfig(cmd.Context(), name, changes)
	if err != nil {
		return about(name, err)
	}
	return a.printWaiting(name, change)
}

// printWaiting says what a running guest gets to know only when it starts again.
func (a *app) printWaiting(name string, change *guest.ConfigChange) error {
	if a.quiet {
		return nil
	}
	if len(change.Also) > 0 {
		// They were edited by hand, and would otherwise wait for an apply.
		if err := a.printf("%s %s now, too\n", escape(strings.Join(change.Also, ", ")), countsWord(change.Also)); err != nil {
			return err
		}
	}
	var err error
	if len(change.Waiting) > 0 {
		err = a.printf("%s %s from the next start of %s on\n", escape(strings.Join(change.Waiting, ", ")), countsWord(change.Waiting), name)
	}
	if err == nil && change.Old { // also where the file is as it was: the kernel's may not be
		a.warn(fmt.Sprintf("its monitor is of an older sysct, which can't change a running guest\nhint: sysct upgrade %s; sysct apply %s", name, name))
	}
	return err
}

func countsWord(keys []string) string {
	if len(keys) > 1 {
		return "count"
	}
	return "counts"
}

package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sysct/sysct/internal/nearest"
)

const hostLong = `Set sysct up on this host and serve it. Each action has a help and a manual page of
its own: sysct host ACTION --help, man sysct-host-ACTION.`

// newHost is the parent of the verbs that are about the host itself. Unlike other
// verbs' actions they have nothing in common but that, so each has flags of its own.
func newHost(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "host ACTION", Short: "Set sysct up on this host and serve it", Long: hostLong,
		Example: "  sysct host init\n  sysct help host init",
		Args:    unknownAction,
		RunE:    func(*cobra.Command, []string) error { return missing("action") },
	}
	for _, v := range hostVerbs() {
		cmd.AddCommand(v.command(a))
	}
	return cmd
}

// hostVerbs are the actions of host. They have no group: the parent has one.
func hostVerbs() []verb {
	return []verb{
		{"", "init", newHostInit},
		{"", "run", newHostRun},
	}
}

// unknownAction suggests the action that was meant.
func unknownAction(cmd *cobra.Command, args []string) error {
	var names []string
	for _, c := range cmd.Commands() {
		names = append(names, c.Name())
	}
	if len(args) == 0 {
		return missing("action")
	}
	text := fmt.Sprintf("unknown action %q", args[0])
	if near := nearest.Of(args[0], names); near != "" {
		text += "\nhint: did you mean " + near + "?"
	}
	return usage(errors.New(text))
}

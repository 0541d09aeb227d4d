package main

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sysct/sysct/internal/nearest"
	"github.com/sysct/sysct/pkg/guest"
	"github.com/sysct/sysct/pkg/guest/state"
)

const waitLong = `Wait until a guest is ready, has an address, or is in a state.

ready: its init said so by sd_notify(3), or a login prompt stands on its console,
or the ready_cmd of its configuration succeeds inside.

ip: it has an IPv4 or IPv6 address by which others reach it: one that isn't a link's own,
and that nobody else has.

For both a guest that isn't started, or stops meanwhile, is an error, 2. Several are joined
by |, as in 'RUNNING|STOPPED': the first that is so ends the wait.`

func newWait(a *app) *cobra.Command {
	var timeout durationFlag
	cmd := &cobra.Command{
		Use: "wait NAME ready|ip|STATE[|STATE...]", Short: "Wait until a guest is ready, has an address, or is in a state", Long: waitLong,
		Args: waitArgs, ValidArgsFunction: a.completeCondition,
		Example: "  sysct wait web ready -t 60\n  sysct wait web ip -t 10\n  sysct wait web 'STOPPED|FROZEN'",
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := parseCondition(args[1])
			if err != nil {
				return err
			}
			o.Timeout = timeout.value
			m, err := a.manager()
			if err != nil {
				return err
			}
			return about(args[0], m.Wait(cmd.Context(), args[0], o))
		},
	}
	cmd.Flags().VarP(&timeout, "timeout", "t", "how long at most, 0: look once (default: for ever)")
	return cmd
}

func waitArgs(_ *cobra.Command, args []string) error {
	switch len(args) {
	case 0:
		return missing("guest name")
	case 1:
		return missing("what to wait for: ready, ip or a state")
	case 2:
		return nil
	}
	return tooMany(args[2])
}

func parseCondition(text string) (guest.WaitOptions, error) {
	var o guest.WaitOptions
	known := stateNames()
	for _, word := range strings.Split(text, "|") {
		upper := strings.ToUpper(word)
		switch {
		case upper == "READY":
			o.Ready = true
		case upper == "IP":
			o.IP = true
		case slices.Contains(known, upper):
			o.States = append(o.States, state.State(upper))
		default:
			msg := "unknown state " + strconv.Quote(word)
			if near := nearest.Of(upper, append(known, "READY", "IP")); near != "" {
				msg += "\nhint: did you mean " + near + "?"
			} else {
				msg += "\nhint: ready, ip, " + strings.Join(known, ", ")
			}
			return o, usage(errors.New(msg))
		}
	}
	return o, nil
}

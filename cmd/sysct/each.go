package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sysct/sysct/internal/nearest"
	"github.com/sysct/sysct/pkg/guest"
	"github.com/sysct/sysct/pkg/guest/autostart"
	"github.com/sysct/sysct/pkg/guest/state"
)

// selection is the guests that a verb works on: names, those in groups, or all.
type selection struct {
	all    bool
	groups []string // as they were given, some with commas
	jobs   int
	// strict: with --all too a guest in the wrong state is an error.
	strict bool
	// reverse: of all or a group's guests those of the highest order have the first turn.
	reverse bool
}

func (s *selection) flags(cmd *cobra.Command, a *app, states ...state.State) {
	cmd.ValidArgsFunction = a.guests(0, states...)
	cmd.Flags().BoolVar(&s.all, "all", false, "all guests that the verb applies to")
	cmd.Flags().StringArrayVarP(&s.groups, "group", "g", nil, "guests in these `groups`, with commas between; '': in none")
	cmd.Flags().IntVarP(&s.jobs, "jobs", "j", 1, "how many guests at a time")
	completeFlag(cmd, "group", a.completeGroups)
	exclusive(cmd, "all", "group")
	cmd.Args = func(_ *cobra.Command, args []string) error {
		switch {
		case s.all && len(args) > 0:
			return usage(errors.New("--all and names exclude each other"))
		case len(s.groups) > 0 && len(args) > 0:
			return usage(errors.New("--group and names exclude each other"))
		case !s.many() && len(args) == 0:
			return usage(errors.New("missing guest name"))
		case s.jobs < 1:
			return usage(errors.New("--jobs must be at least 1"))
		}
		return noneTwice(args)
	}
}

// many says that the guests aren't named one by one.
func (s *selection) many() bool { return s.all || len(s.groups) > 0 }

// noneTwice refuses names that stand there twice: a slip, whose second turn would
// be an error.
func noneTwice(names []string) error {
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			return invalid("%s is named twice", escape(name))
		}
	}
	return nil
}

// each does something with every selected guest, s.jobs at a time. One that
// fails doesn't keep the others from their turn; with --all or a group a guest in a
// state in which there is nothing to do is passed over, and the turns go by the order of
// autostart. The exit status is the first error's.
func (s *selection) each(cmd *cobra.Command, a *app, names []string, do func(context.Context, *guest.Manager, string) error) error {
	m, err := a.manager()
	if err != nil {
		return err
	}
	plan, err := s.plan(m, names)
	if err != nil {
		return err
	}
	if names := plan.Names(); len(names) == 1 {
		return s.pass(a, about(names[0], do(cmd.Context(), m, names[0])))
	}
	at := map[string]int{}
	for i, name := range plan.Names() {
		at[name] = i
	}
	errs := make([]error, len(at))
	plan.Walk(s.jobs, s.reverse && s.many(), func(n autostart.Node) {
		errs[at[n.Name]] = s.pass(a, about(n.Name, do(cmd.Context(), m, n.Name)))
	})
	return a.reportAll(cmd.Name(), errs)
}

// plan gives the selected guests their turns. Those that are named have them as they
// are named.
func (s *selection) plan(m *guest.Manager, names []string) (*autostart.Plan, error) {
	if !s.many() {
		return inTurn(names), nil
	}
	all, err := m.Autostarts()
	if err != nil {
		return nil, err
	}
	names = nil
	for i := range all {
		if s.all || all[i].In(groupNames(s.groups)) {
			names = append(names, all[i].Name)
		}
	}
	if len(names) == 0 && !s.all {
		return nil, noGroup(all, groupNames(s.groups))
	}
	return autostart.NewPlan(all, names), nil
}

// inTurn is a plan by which none waits for another.
func inTurn(names []string) *autostart.Plan {
	plan := &autostart.Plan{}
	for _, name := range names {
		plan.Nodes = append(plan.Nodes, autostart.Node{Guest: autostart.Guest{Name: name}})
	}
	return plan
}

// groupNames are the names in the values of a flag; "" is the group of guests in none.
func groupNames(values []string) []string {
	var names []string
	for _, value := range values {
		names = append(names, strings.Split(value, ",")...)
	}
	return names
}

// noGroup says that no guest is in any of the groups, and which group was meant.
func noGroup(all []autostart.Guest, groups []string) error {
	var known []string
	for i := range all {
		known = append(known, all[i].Groups...)
	}
	text := fmt.Sprintf("no guest is in group %s", escape(strings.Join(groups, ", ")))
	if slices.Contains(groups, "") {
		text = "every guest is in some group, and none in one that is named"
	}
	for _, name := range groups {
		if near := nearest.Of(name, known); near != "" {
			text += "\nhint: did you mean " + near + "?"
			break
		}
	}
	return &statusError{status: exitNoGuest, err: errors.New(text)}
}

// pass drops the error of a guest that --all reached in a state that the verb has nothing
// to do in, unless that is an error of the verb. One that is protected is passed over by
// every verb, but not without a word.
func (s *selection) pass(a *app, err error) error {
	protected := errors.Is(err, guest.ErrProtected)
	if !s.many() || !errors.Is(err, guest.ErrState) || s.strict && !protected {
		return err
	}
	if protected && !a.quiet {
		line, _, _ := strings.Cut(err.Error(), "\n")
		fmt.Fprintf(a.err, "sysct: warning: %s: passed over\n", escape(line))
	}
	return nil
}

// reportAll prints every error and gives the first one's exit status.
func (a *app) reportAll(verb string, errs []error) error {
	var first error
	for _, err := range errs {
		if err == nil {
			continue
		}
		a.report(verb, err)
		if first == nil {
			first = &statusError{status: statusOf(err), err: errReported}
		}
	}
	return first
}

// oneGuest is the argument rule of a verb with exactly one guest.
func oneGuest(_ *cobra.Command, args []string) error {
	switch len(args) {
	case 0:
		return usage(errors.New("missing guest name"))
	case 1:
		return nil
	}
	return tooMany(args[1])
}

// noArgs is the argument rule of a verb without any.
func noArgs(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return tooMany(args[0])
	}
	return nil
}

package main

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sysct/sysct/pkg/guest"
	"github.com/sysct/sysct/pkg/guest/spec"
	"github.com/sysct/sysct/pkg/guest/state"
	"github.com/sysct/sysct/pkg/images"
)

// completer gives a shell the words that fit where somebody types.
type completer = cobra.CompletionFunc

// What a verb's guests have to be for it. Other states are passed by: a guest that
// stops may be stopped by the time the verb is there.
func upStates() []state.State {
	return []state.State{state.Starting, state.Running, state.Stopping, state.Freezing, state.Frozen, state.Thawed}
}

func words(list ...string) completer {
	return cobra.FixedCompletions(list, cobra.ShellCompDirectiveNoFileComp)
}

// completeFlag has a flag's values completed. A flag that isn't there is a mistake in
// this program.
func completeFlag(cmd *cobra.Command, name string, c completer) {
	if err := cmd.RegisterFlagCompletionFunc(name, c); err != nil {
		panic(err)
	}
}

// completeGuests completes guests' names, each once.
func (a *app) completeGuests(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	return a.guests(0)(cmd, args, typed)
}

// guests completes the names of guests in some states, or in any: each once, and most
// of them if there is a most.
func (a *app) guests(most int, states ...state.State) completer {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		m, err := a.manager()
		if err != nil || most > 0 && len(args) >= most {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		names, _ := m.Names()
		if len(states) > 0 {
			names = nil
			list, _ := m.List(contextOf(cmd), guest.ListOptions{Brief: true})
			for i := range list {
				if slices.Contains(states, list[i].State) {
					names = append(names, list[i].Name)
				}
			}
		}
		names = slices.DeleteFunc(names, func(name string) bool { return slices.Contains(args, name) })
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

// completeGroups completes the last of several groups.
func (a *app) completeGroups(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
	before := typed[:strings.LastIndexByte(typed, ',')+1]
	var names []string
	if m, err := a.manager(); err == nil {
		all, _ := m.Autostarts()
		for i := range all {
			for _, group := range all[i].Groups {
				if !slices.Contains(names, before+group) {
					names = append(names, before+group)
				}
			}
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}

func contextOf(cmd *cobra.Command) context.Context {
	if ctx := cmd.Context(); ctx != nil {
		return ctx
	}
	return context.Background()
}

// completeKeys completes a guest and then keys of its configuration, by what choose
// makes of them, and others that it may have.
func (a *app) completeKeys(most int, directive cobra.ShellCompDirective, choose func(key string, isSet bool) string, others ...string) completer {
	return func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		if len(args) == 0 {
			return a.completeGuests(cmd, args, typed)
		}
		m, err := a.manager()
		if err != nil || most > 0 && len(args) >= most {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		values, _ := m.Config(contextOf(cmd), args[0], "")
		keys := slices.Clone(others)
		for _, v := range values {
			if key := choose(v.Key, !v.Default); key != "" && !slices.Contains(args, key) && !slices.Contains(keys, key) {
				keys = append(keys, key)
			}
		}
		return keys, cobra.ShellCompDirectiveNoFileComp | directive
	}
}

// anyKey is for get.
func anyKey(key string, _ bool) string { return key }

// assignable is for set.
func assignable(key string, _ bool) string { return key + "=" }

// removable is for unset: keys that are set, and entries of lists as a whole.
func removable(key string, isSet bool) string {
	if !isSet {
		return ""
	}
	if i := strings.LastIndexByte(key, ']'); i >= 0 {
		return key[:i+1]
	}
	return key
}

// newKeys are beginnings of keys in tables that are empty at first.
func newKeys() []string { return []string{"env.", "net[0].type=", "publish[0].port="} }

// assignments completes KEY= for a guest that isn't there yet.
func assignments(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	values, _ := spec.Values(nil, "", "")
	var list []string
	for _, v := range values {
		list = append(list, v.Key+"=")
	}
	return append(list, newKeys()...), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}

// completeTemplates completes a template's name, with what it is.
func completeTemplates(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	list, _ := images.Templates([]string{templateDir})
	var names []string
	for i := range list {
		names = append(names, cobra.CompletionWithDesc(list[i].Name, list[i].Description))
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// completeSignals completes the names of the signals that aren't real-time ones.
func completeSignals(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return signalNames(), cobra.ShellCompDirectiveNoFileComp
}

// completeCondition completes wait's arguments.
func (a *app) completeCondition(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	switch len(args) {
	case 0:
		return a.completeGuests(cmd, args, typed)
	case 1:
		return append([]string{"ready", "ip"}, stateNames()...), cobra.ShellCompDirectiveNoFileComp
	}
	return nil, cobra.ShellCompDirectiveNoFileComp
}

func stateNames() []string {
	var names []string
	for _, s := range state.States() {
		names = append(names, string(s))
	}
	return names
}

func columnNames() []string {
	var names []string
	for _, c := range columns() {
		names = append(names, c.name)
	}
	return names
}

// completeColumn completes one column.
func completeColumn(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return columnNames(), cobra.ShellCompDirectiveNoFileComp
}

// completeColumns completes the last of several columns.
func completeColumns(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
	before := typed[:strings.LastIndexByte(typed, ',')+1]
	names := columnNames()
	for i := range names {
		names[i] = before + names[i]
	}
	return names, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}

// completeFilter completes COLUMN=VALUE.
func completeFilter(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
	if strings.HasPrefix(typed, "state=") {
		names := stateNames()
		for i := range names {
			names[i] = "state=" + names[i]
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
	names := columnNames()
	for i := range names {
		names[i] += "="
	}
	return names, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}

// completeVerbs completes verbs, with what they do.
func completeVerbs(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	var names []string
	for _, c := range cmd.Root().Commands() {
		if c.IsAvailableCommand() && len(args) == 0 {
			names = append(names, cobra.CompletionWithDesc(c.Name(), c.Short))
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

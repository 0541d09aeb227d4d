package main

import (
	"bytes"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/sysct/sysct/pkg/guest"
	"github.com/sysct/sysct/pkg/guest/spec"
)

type getOptions struct {
	json   bool
	set    bool
	origin bool
}

const getLong = `Show a guest's configuration: all of it, a table, or one key.

One key's value is printed as set takes it, an empty line if it has none. What the
guest's config.toml doesn't say is shown at its default; in the table of all values
these are marked, and --set leaves them out. Values of profiles and included files are
shown like the guest's own; --origin says where each is from. sysct-config(5) has the
keys.`

const getExample = `  sysct get web
  sysct get web limits.memory
  sysct get web --json | jq -r '.[] | select(.default | not) | .key'`

func newGet(a *app) *cobra.Command {
	o := &getOptions{}
	cmd := &cobra.Command{
		Use: "get NAME [KEY]", Short: "Show a guest's configuration", Long: getLong, Example: getExample,
		Args: getArgs, ValidArgsFunction: a.completeKeys(2, 0, anyKey),
		RunE: func(cmd *cobra.Command, args []string) error { return runGet(cmd, a, o, args) },
	}
	cmd.Flags().BoolVar(&o.json, "json", false, "as JSON: an array, or an object for one key")
	cmd.Flags().BoolVar(&o.origin, "origin", false, "and which file says it: config.toml, or one that this is laid over")
	cmd.Flags().BoolVarP(&o.set, "set", "s", false, "only what the file sets")
	return cmd
}

func getArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 2 {
		return nil
	}
	if len(args) > 2 {
		return invalid("too many arguments: %s", args[2])
	}
	return oneGuest(cmd, args)
}

func runGet(cmd *cobra.Command, a *app, o *getOptions, args []string) error {
	m, err := a.manager()
	if err != nil {
		return err
	}
	key := ""
	if len(args) == 2 {
		key = args[1]
	}
	values, err := m.Config(cmd.Context(), args[0], key)
	if err != nil {
		return about(args[0], err)
	}
	single := key != "" && !spec.IsTable(key) && !(o.origin && !o.json)
	chosen := []guest.ConfigValue{}
	for _, v := range values {
		if !o.set || !v.Default {
			chosen = append(chosen, v)
		}
	}
	switch {
	case single && o.json && len(chosen) == 1:
		return a.printJSON(chosen[0])
	case o.json:
		return a.printJSON(chosen)
	case !single:
		return a.printConfig(chosen, o.origin)
	case len(chosen) == 1:
		return a.printf("%s\n", chosen[0].Text)
	}
	return nil
}

// printConfig prints keys and values; a value that nobody chose is marked.
func (a *app) printConfig(values []guest.ConfigValue, origin bool) error {
	var b bytes.Buffer
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, v := range values {
		text, mark := v.Text, ""
		if v.Value == nil {
			text = "-"
		}
		switch {
		case v.Default:
			mark = "default"
		case origin:
			mark = escape(v.Origin)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", escape(v.Key), escape(text), mark)
	}
	w.Flush()
	for line := range strings.Lines(b.String()) {
		if err := a.printf("%s\n", strings.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	return nil
}

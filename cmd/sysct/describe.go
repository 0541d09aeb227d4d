package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// description is the command line as data, from which the manual pages are made.
type description struct {
	Name   string             `json:"name"`
	Long   string             `json:"long"`
	Flags  []flagDescription  `json:"flags"`
	Groups []groupDescription `json:"groups"`
}

type groupDescription struct {
	Title string            `json:"title"`
	Verbs []verbDescription `json:"verbs"`
}

type verbDescription struct {
	Name    string            `json:"name"`
	Aliases []string          `json:"aliases"`
	Use     string            `json:"use"`
	Short   string            `json:"short"`
	Long    string            `json:"long"`
	Example string            `json:"example"`
	Flags   []flagDescription `json:"flags"`
}

type flagDescription struct {
	Name    string `json:"name"`
	Short   string `json:"short"`
	Value   string `json:"value"`
	Usage   string `json:"usage"`
	Default string `json:"default"`
}

// newDescribe is hidden: it is for the generator of the manual pages, which the
// command line needn't link so.
func newDescribe(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "__describe", Short: "Describe the command line as JSON", Hidden: true, Args: noArgs,
		RunE: func(*cobra.Command, []string) error { return a.printJSON(describe(newRoot(a, nil))) },
	}
}

func describe(root *cobra.Command) description {
	d := description{Name: root.Name(), Long: longHelp(root), Flags: describeFlags(root.LocalFlags())}
	for _, g := range root.Groups() {
		group := groupDescription{Title: g.Title}
		for _, cmd := range root.Commands() {
			if cmd.GroupID != g.ID || !cmd.IsAvailableCommand() {
				continue
			}
			group.Verbs = append(group.Verbs, describeVerb(cmd))
			for _, action := range cmd.Commands() {
				if action.IsAvailableCommand() {
					group.Verbs = append(group.Verbs, describeVerb(action))
				}
			}
		}
		d.Groups = append(d.Groups, group)
	}
	return d
}

func describeVerb(cmd *cobra.Command) verbDescription {
	return verbDescription{
		Name: verbName(cmd), Aliases: cmd.Aliases, Use: cmd.Use, Short: cmd.Short, Long: cmd.Long, Example: cmd.Example,
		Flags: describeFlags(cmd.LocalNonPersistentFlags()),
	}
}

// verbName is a verb as it is called, with its parent if it has one: "host init".
func verbName(cmd *cobra.Command) string {
	if !cmd.HasParent() {
		return cmd.Name()
	}
	return strings.TrimPrefix(cmd.CommandPath(), cmd.Root().Name()+" ")
}

func describeFlags(flags *pflag.FlagSet) []flagDescription {
	list := []flagDescription{}
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		value, usage := pflag.UnquoteUsage(f)
		if value == "strings" || value == "stringArray" {
			value = "string"
		}
		def := f.DefValue
		if slices.Contains([]string{"false", "0", "[]"}, def) {
			def = ""
		}
		list = append(list, flagDescription{Name: f.Name, Short: f.Shorthand, Value: value, Usage: usage, Default: def})
	})
	return list
}

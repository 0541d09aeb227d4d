package main

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/sysct/sysct/pkg/images"
)

const templateLong = `List the templates, or show one with its arguments.

A file NAME.toml in ` + templateDir + ` overrides the built-in template.`

// templateJSON is a template as JSON.
type templateJSON struct {
	Name        string    `json:"name"`
	Description string    `json:"description"`
	Source      string    `json:"source"`
	Args        []argJSON `json:"args"`
}

type argJSON struct {
	Long    string   `json:"long"`
	Short   string   `json:"short,omitempty"`
	Default string   `json:"default,omitempty"`
	Values  []string `json:"values,omitempty"`
	Help    string   `json:"help"`
}

func newTemplate(a *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "template [NAME]", Aliases: []string{"templates"}, Short: "List templates and their arguments", Long: templateLong,
		Example: "  sysct template\n  sysct template debian", ValidArgsFunction: completeTemplates,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return tooMany(args[1])
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error { return runTemplate(a, args, asJSON) },
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return cmd
}

func runTemplate(a *app, args []string, asJSON bool) error {
	dirs := []string{templateDir}
	if len(args) == 1 {
		t, err := images.Find(dirs, args[0])
		if err != nil {
			return usage(err)
		}
		if asJSON {
			return a.printJSON(toJSON(t))
		}
		return a.printTemplate(t)
	}
	list, err := images.Templates(dirs)
	if err != nil {
		return err
	}
	if asJSON {
		all := make([]templateJSON, len(list))
		for i := range list {
			all[i] = toJSON(&list[i])
		}
		return a.printJSON(all)
	}
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tSOURCE\tDESCRIPTION")
	for _, t := range list {
		fmt.Fprintf(w, "%s\t%s\t%s\n", escape(t.Name), escape(t.Source), escape(t.Description))
	}
	return w.Flush()
}

func toJSON(t *images.Template) templateJSON {
	j := templateJSON{Name: t.Name, Description: t.Description, Source: t.Source, Args: []argJSON{}}
	for _, arg := range t.Args {
		j.Args = append(j.Args, argJSON{arg.Long, arg.Short, arg.Default, arg.Values, arg.Help})
	}
	return j
}

func (a *app) printTemplate(t *images.Template) error {
	a.printf("%s: %s (%s)\n", escape(t.Name), escape(t.Description), escape(t.Source))
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	for _, arg := range t.Args {
		flag := "    --" + arg.Long
		if arg.Short != "" {
			flag = "-" + arg.Short + ", --" + arg.Long
		}
		help := arg.Help
		if len(arg.Values) > 0 {
			help += " (" + strings.Join(arg.Values, ", ") + ")"
		}
		if arg.Default != "" {
			help += ", default " + arg.Default
		}
		fmt.Fprintf(w, "  %s\t%s\n", escape(flag), escape(help))
	}
	return w.Flush()
}

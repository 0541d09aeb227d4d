package main

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/sysct/sysct/pkg/guest"
)

type applyOptions struct {
	plan bool
	json bool
}

const applyLong = `Have a guest's configuration count as far as it can while the guest runs, after
config.toml, a profile or an included file was edited.

Each key that isn't as the guest was started with, or last applied, is named, and each
limit that somebody has overruled in the kernel's files, as by sysct cgroup: live keys
count from now on, also after a reboot of the guest; those that need a restart wait for
it; a refused one is one that this host can't give the guest, with the reason. It is all
or nothing: with a refused key nothing is changed. A limit below what the guest uses is
said before anything is done.

set, unset and edit do by themselves what apply does, before they write config.toml: of one
that is killed in between the guest has what the file hasn't, until apply or a restart, and
apply --plan shows it.`

const applyExample = `  sysct apply --plan web
  sysct apply web
  sysct apply --json web | jq -r '.keys[] | select(.effect == "restart") | .key'`

func newApply(a *app) *cobra.Command {
	o := &applyOptions{}
	cmd := &cobra.Command{
		Use: "apply NAME", Short: "Have an edited configuration count in a running guest", Long: applyLong, Example: applyExample,
		Args: oneGuest, ValidArgsFunction: a.guests(1),
		RunE: func(cmd *cobra.Command, args []string) error { return runApply(cmd.Context(), a, o, args[0]) },
	}
	cmd.Flags().BoolVar(&o.plan, "plan", false, "only say what would be done")
	cmd.Flags().BoolVar(&o.json, "json", false, "as JSON")
	return cmd
}

func runApply(ctx context.Context, a *app, o *applyOptions, name string) error {
	m, err := a.manager()
	if err != nil {
		return err
	}
	notes := func(p *guest.Applying) {
		for _, note := range p.Notes {
			a.warn(note)
		}
	}
	var p *guest.Applying
	if o.plan {
		if p, err = m.ApplyPlan(ctx, name); err == nil {
			notes(p)
			err = p.Refused()
		}
	} else {
		p, err = m.Apply(ctx, name, notes)
	}
	if p != nil {
		if perr := a.printApplying(p, o.json); perr != nil {
			return perr
		}
	}
	return about(name, err)
}

func (a *app) printApplying(p *guest.Applying, json bool) error {
	switch {
	case json:
		return a.printJSON(p)
	case a.quiet:
		return nil
	case !p.Running:
		return a.printf("%s is not running: its configuration counts from its next start on\n", p.Name)
	}
	if p.Partial {
		a.warn("an older sysct has started " + p.Name + ": what was changed since, but for limits, isn't known")
	}
	if len(p.Keys) == 0 {
		return a.printf("nothing to apply: %s runs with its configuration\n", p.Name)
	}
	var b bytes.Buffer
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "KEY\tFROM\tTO\tEFFECT")
	for _, k := range p.Keys {
		effect := k.Effect
		if k.Reason != "" {
			effect += ": " + k.Reason
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", escape(k.Key), orDash(k.From), orDash(k.To), escape(effect))
	}
	w.Flush()
	return a.printf("%s", b.String())
}

func orDash(text string) string {
	if strings.TrimSpace(text) == "" {
		return "-"
	}
	return escape(text)
}

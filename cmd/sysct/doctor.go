package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sysct/sysct/pkg/doctor"
)

const doctorLong = `Examine the host and the guests, or the host and the named ones.

Each finding is a problem, a warning, a note or ok; all but the last say why it
matters, and the command that mends it. What the kernel can do is tried in
throw-away namespaces, and nothing on the host is changed. With -q only warnings
and problems are shown.

EXIT STATUS
  0  no problem               3  no such guest
  1  a problem was found      4  bad usage`

func newDoctor(a *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "doctor [NAME...]", Short: "Examine the host and the guests", Long: doctorLong,
		Example:           "  sysct doctor\n  sysct doctor web\n  sysct doctor --json | jq -r '.[] | select(.severity == \"problem\") | .mend'",
		ValidArgsFunction: a.completeGuests,
		RunE: func(cmd *cobra.Command, args []string) error {
			m, err := a.manager()
			if err != nil {
				return err
			}
			findings, err := m.Doctor(cmd.Context(), args)
			if err != nil {
				return err
			}
			if asJSON {
				err = a.printJSON(findings)
			} else {
				err = a.printf("%s", doctorText(findings, a.quiet))
			}
			if err == nil && doctor.Worst(findings) == doctor.Problem {
				return &statusError{status: exitError}
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "as one JSON array")
	return cmd
}

// doctorText is the findings for people: the host's, then each guest's, the worst
// first.
func doctorText(findings []doctor.Finding, quiet bool) string {
	p := &page{}
	var subjects []string
	for _, f := range findings {
		if !slices.Contains(subjects, f.Guest) {
			subjects = append(subjects, f.Guest)
		}
	}
	for _, subject := range subjects {
		its := slices.DeleteFunc(slices.Clone(findings), func(f doctor.Finding) bool {
			return f.Guest != subject || quiet && (f.Severity == doctor.OK || f.Severity == doctor.Note)
		})
		slices.SortStableFunc(its, func(a, b doctor.Finding) int {
			return slices.Index(doctor.Severities(), a.Severity) - slices.Index(doctor.Severities(), b.Severity)
		})
		if len(its) > 0 {
			p.subject(subject, its)
		}
	}
	if !quiet {
		p.line("%s", countText(findings))
	}
	return p.String()
}

func (p *page) subject(name string, findings []doctor.Finding) {
	if name == "" {
		name = "host"
	} else {
		name = "guest " + name
	}
	p.line("%s", name)
	for _, f := range findings {
		p.line("  %-8s %s: %s", f.Severity, f.Check, f.Found)
		if f.Why != "" {
			p.line("           why   %s", f.Why)
		}
		if f.Mend != "" {
			p.line("           mend  %s", f.Mend)
		}
	}
}

// countText is the last line.
func countText(findings []doctor.Finding) string {
	var parts []string
	for _, s := range doctor.Severities() {
		n := 0
		for _, f := range findings {
			if f.Severity == s {
				n++
			}
		}
		switch {
		case s == doctor.OK:
			parts = append(parts, fmt.Sprintf("%d ok", n))
		case n == 1:
			parts = append(parts, "1 "+string(s))
		case n > 1 || s == doctor.Problem:
			parts = append(parts, fmt.Sprintf("%d %ss", n, s))
		}
	}
	return strings.Join(parts, ", ")
}

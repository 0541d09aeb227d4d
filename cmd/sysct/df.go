package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/sysct/sysct/pkg/guest"
)

const dfLong = `Show how much guests have on disk, all of them if none is named.

USED and FILES are the guest's own: on overlay what it has changed of its image, and what
the containers in a guest with nesting have; on dir and btrfs its whole tree, with the blocks
that it shares with others. SIZE and AVAIL are
those of the file system that it lies on. Each file is looked at: a Debian of 10,000 files
takes a tenth of a second, more if the disk has to be read.`

func newDf(a *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "df [NAME...]", Short: "Show how much guests have on disk", Long: dfLong,
		Example: "  sysct df\n  sysct df --json web | jq .[0].used", ValidArgsFunction: a.completeGuests,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := noneTwice(args); err != nil {
				return err
			}
			m, err := a.manager()
			if err != nil {
				return err
			}
			list, err := m.DiskUse(cmd.Context(), args...)
			if err != nil {
				return err
			}
			print := a.printDiskUse
			if asJSON {
				print = func(list []guest.DiskUse) error { return a.printJSON(list) }
			}
			if err := print(list); err != nil {
				return err
			}
			return a.reportDiskUse(cmd.Name(), list)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "as a JSON array")
	return cmd
}

func (a *app) printDiskUse(list []guest.DiskUse) error {
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	if len(list) > 0 {
		fmt.Fprintln(w, "NAME\tBACKEND\tUSED\tFILES\tIMAGE\tSIZE\tAVAIL")
	}
	for i := range list {
		u := &list[i]
		used := orDash(sizeText(u.Used))
		if u.Partial {
			used = ">" + used
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", escape(u.Name), orDash(u.Backend), used, optional(u.Files),
			orDash(sizeText(u.Image)), orDash(sizeText(u.Size)), orDash(sizeText(u.Available)))
	}
	return w.Flush()
}

// reportDiskUse says which couldn't be measured.
func (a *app) reportDiskUse(verb string, list []guest.DiskUse) error {
	var errs []error
	for i := range list {
		if list[i].Error != nil {
			errs = append(errs, about(list[i].Name, fmt.Errorf("%s", *list[i].Error)))
		}
	}
	return a.reportAll(verb, errs)
}

package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/sysct/sysct/pkg/guest"
)

type imageOptions struct{ dry, force, json bool }

const imageLong = `List the images that templates were built into, remove some, or all that no guest
needs. The next create of a guest from one that was removed builds it again.

An image is needed by the overlay guests that were made from it, of this instance or
another; they are listed with it. To remove such an image is an error, 5, and so is it
to remove any while the host's ledger of ids has guests whose directory isn't to be
seen: with --force these are taken for gone.`

const imageExample = `  sysct image
  sysct image rm busybox-1.35.0-amd64-3797e8cbd9341bcd
  sysct image prune -n`

func newImage(a *app) *cobra.Command {
	o := &imageOptions{}
	cmd := &cobra.Command{
		Use: "image [ls | rm IMAGE... | prune]", Aliases: []string{"images"}, Short: "List and remove built images",
		Long: imageLong, Example: imageExample, Args: o.check, ValidArgsFunction: a.completeImages,
		RunE: func(cmd *cobra.Command, args []string) error { return runImage(cmd, a, o, args) },
	}
	cmd.Flags().BoolVarP(&o.dry, "dry-run", "n", false, "with prune: only say what would be removed")
	cmd.Flags().BoolVarP(&o.force, "force", "f", false, "with rm and prune: take guests that can't be read for gone")
	cmd.Flags().BoolVar(&o.json, "json", false, "with ls: as JSON")
	return cmd
}

func imageActions() []string { return []string{"ls", "rm", "prune"} }

// check: what is to be done, and images where it takes some.
func (o *imageOptions) check(_ *cobra.Command, args []string) error {
	action := "ls"
	if len(args) > 0 {
		action = args[0]
	}
	switch {
	case !slices.Contains(imageActions(), action):
		return invalid("unknown action %s: ls, rm or prune", strconv.Quote(action))
	case o.dry && action != "prune":
		return invalid("--dry-run goes with prune")
	case o.force && action == "ls":
		return invalid("--force goes with rm and prune")
	case o.json && action != "ls":
		return invalid("--json goes with ls")
	case action == "rm" && len(args) == 1:
		return missing("image")
	case action == "rm":
		return noneTwice(args[1:])
	case len(args) > 1:
		return tooMany(args[1])
	}
	return nil
}

func runImage(cmd *cobra.Command, a *app, o *imageOptions, args []string) error {
	m, err := a.manager()
	switch {
	case err != nil:
		return err
	case len(args) == 0 || args[0] == "ls":
		return a.listImages(cmd, m, o.json)
	case args[0] == "rm":
		var errs []error
		for _, name := range args[1:] {
			errs = append(errs, about(name, m.RemoveImage(cmd.Context(), name, o.force)))
		}
		return a.reportAll(cmd.Name(), errs)
	}
	removed, err := m.PruneImages(cmd.Context(), o.dry, o.force)
	for _, name := range removed {
		err = errors.Join(err, a.printf("%s\n", escape(name)))
	}
	return err
}

func (a *app) listImages(cmd *cobra.Command, m *guest.Manager, asJSON bool) error {
	list, err := m.Images(cmd.Context())
	if err != nil {
		return err
	}
	if asJSON {
		return a.printJSON(list)
	}
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	if len(list) > 0 {
		fmt.Fprintln(w, "NAME\tSIZE\tCREATED\tGUESTS")
	}
	for _, i := range list {
		guests := "-"
		if len(i.Guests) > 0 {
			guests = strings.Join(i.Guests, " ")
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", escape(i.Name), bytesText(i.Size), i.CreatedAt.Local().Format(time.DateTime), escape(guests))
	}
	return w.Flush()
}

// completeImages completes what is to be done, and for rm the images that no guest needs.
func (a *app) completeImages(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return imageActions(), cobra.ShellCompDirectiveNoFileComp
	}
	m, err := a.manager()
	if err != nil || args[0] != "rm" {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	list, _ := m.Images(contextOf(cmd))
	var names []string
	for _, i := range list {
		if len(i.Guests) == 0 && !slices.Contains(args, i.Name) {
			names = append(names, i.Name)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

package main

import (
	"bufio"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/sysct/sysct/internal/nearest"
	"github.com/sysct/sysct/pkg/guest"
	"github.com/sysct/sysct/pkg/limits"
)

type lsOptions struct {
	one, fancy, noHeader, json bool
	running, frozen, stopped   bool
	columns                    []string
	sort                       string
	filters                    []string
	groups                     []string
}

const lsLong = `List the guests, or those that are named; in a name * and ? stand for anything.

Names and states; with -f the usual columns, with -o those you name: name, state, pid,
template, backend, started, ready, autostart, groups, rootfs; and what a running guest
uses and may use:
  memory, memory_max, memory_peak, anon, file, kernel, swap, swap_max; oom_kills
  cpu (time), cpu_user, cpu_system, cpu_quota, cpus, throttled (periods), throttled_time
  io (read/written), read, write, read_ops, write_ops
  pids, pids_max, pids_peak, pids_hits (forks that the limit refused)
  ipv4, ipv6 (addresses), rx, tx (bytes received and sent), net (both)
  pressure: some waited in the last 10 s, in %, for CPU/memory/IO; cpu_pressure,
  memory_pressure, io_pressure
-g leaves guests in a group.
--filter COLUMN=VALUE leaves those whose column is the value, in which * stands
for anything; several filters have all to fit. --running, --frozen and --stopped leave
those in that state, or in one of them.`

const lsExample = `  sysct ls -f
  sysct ls --running 'web*'
  sysct ls -1 --filter state=RUNNING --filter 'name=web*'
  sysct ls -o name,memory,pids -s memory
  sysct ls --json | jq -r '.[].name'`

func newLs(a *app) *cobra.Command {
	o := &lsOptions{}
	cmd := &cobra.Command{
		Use: "ls [NAME...]", Aliases: []string{"list"}, Short: "List the guests", Long: lsLong,
		Example: lsExample, ValidArgsFunction: a.completeGuests,
		RunE: func(cmd *cobra.Command, args []string) error { return runLs(cmd, a, o, args) },
	}
	f := cmd.Flags()
	f.BoolVarP(&o.one, "one", "1", false, "names only, a line each")
	f.BoolVarP(&o.fancy, "fancy", "f", false, "more columns")
	f.StringSliceVarP(&o.columns, "columns", "o", nil, "these `columns`, with commas between them")
	f.BoolVarP(&o.noHeader, "no-header", "H", false, "no header line")
	f.StringVarP(&o.sort, "sort", "s", "", "sort by this `column` (default: name)")
	f.StringArrayVar(&o.filters, "filter", nil, "only guests that fit, `COLUMN=VALUE`; may be repeated")
	f.StringArrayVarP(&o.groups, "group", "g", nil, "only guests in these `groups`, with commas between; '': in none")
	f.BoolVar(&o.running, "running", false, "only guests that run")
	f.BoolVar(&o.frozen, "frozen", false, "only guests that are frozen")
	f.BoolVar(&o.stopped, "stopped", false, "only guests that are stopped")
	f.BoolVar(&o.json, "json", false, "everything, as a JSON array, with -f or without")
	completeFlag(cmd, "columns", completeColumns)
	completeFlag(cmd, "sort", completeColumn)
	completeFlag(cmd, "filter", completeFilter)
	completeFlag(cmd, "group", a.completeGroups)
	for _, other := range []string{"one", "columns", "no-header"} { // -f asks for less than the JSON has
		exclusive(cmd, "json", other)
	}
	exclusive(cmd, "one", "fancy", "columns")
	return cmd
}

func runLs(cmd *cobra.Command, a *app, o *lsOptions, names []string) error {
	chosen, err := o.choose(cmd.Flags().Changed("columns"))
	if err != nil {
		return err
	}
	pick, err := o.picker()
	if err != nil {
		return err
	}
	m, err := a.manager()
	if err != nil {
		return err
	}
	list, err := m.List(cmd.Context(), guest.ListOptions{Brief: o.plain(), Names: names, Figures: o.figures(chosen), Network: o.network(chosen)})
	if err != nil {
		return err
	}
	list = pick(list)
	switch {
	case o.json:
		return a.printJSON(list)
	case o.one:
		return a.table(chosen[:1], list, false)
	}
	return a.table(chosen, list, !o.noHeader)
}

// plain says that names and states are all that is asked for.
func (o *lsOptions) plain() bool {
	return !o.fancy && !o.json && o.sort == "" && len(o.columns)+len(o.filters)+len(o.groups) == 0
}

// figures is what of the guests' use the columns need: reading all takes ten times as
// long as reading one.
func (o *lsOptions) figures(chosen []column) *limits.Want {
	if o.json {
		return nil
	}
	want := limits.WantNothing
	for _, c := range o.needed(chosen) {
		want |= c.want
	}
	return &want
}

// network is what of the guests' networks the columns need.
func (o *lsOptions) network(chosen []column) *guest.NetWant {
	if o.json {
		return nil
	}
	want := guest.NetNothing
	for _, c := range o.needed(chosen) {
		want |= c.net
	}
	return &want
}

// needed are the columns that are shown, sorted by, or filtered by.
func (o *lsOptions) needed(chosen []column) []column {
	all := slices.Clone(chosen)
	for _, name := range append([]string{o.sort}, o.filters...) {
		name, _, _ = strings.Cut(name, "=")
		if c, err := columnOf(name); err == nil {
			all = append(all, c)
		}
	}
	return all
}

// choose gives the columns that the flags name; given says that -o is there.
func (o *lsOptions) choose(given bool) ([]column, error) {
	names := []string{"name", "state"}
	switch {
	case given && len(o.columns) == 0:
		return nil, invalid("--columns is empty")
	case given:
		names = o.columns
	case o.fancy:
		names = []string{"name", "state", "pid", "memory", "cpu", "io", "pids", "pressure", "template", "backend", "autostart", "groups", "ipv4", "ipv6", "started"}
	}
	var chosen []column
	for _, name := range names {
		c, err := columnOf(name)
		if err != nil {
			return nil, err
		}
		chosen = append(chosen, c)
	}
	return chosen, nil
}

func columnOf(name string) (column, error) {
	for _, c := range columns() {
		if strings.EqualFold(c.name, name) {
			return c, nil
		}
	}
	hint := "\nhint: sysct ls --help lists them"
	if near := nearest.Of(strings.ToLower(name), columnNames()); near != "" {
		hint = "\nhint: did you mean " + near + "?"
	}
	return column{}, invalid("unknown column %q%s", name, hint)
}

func (a *app) table(chosen []column, list []guest.Info, header bool) error {
	// It writes cell by cell.
	out := bufio.NewWriter(a.out)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	line := func(cell func(column) string) {
		cells := make([]string, len(chosen))
		for i, c := range chosen {
			cells[i] = escape(cell(c))
		}
		fmt.Fprintln(w, strings.TrimRight(strings.Join(cells, "\t"), "\t"))
	}
	if header && len(list) > 0 {
		line(func(c column) string { return strings.ToUpper(c.name) })
	}
	for i := range list {
		line(func(c column) string { return c.cell(&list[i]) })
	}
	return errors.Join(w.Flush(), out.Flush())
}

// stateCell: a broken guest says so where its state would stand.
func stateCell(i *guest.Info) string {
	if i.Error != nil {
		return string(i.State) + " (broken)"
	}
	return string(i.State)
}

func optional[T any](v *T) string {
	if v == nil {
		return "-"
	}
	return fmt.Sprint(*v)
}

// number is a figure to sort by; an unknown one comes first.
func number[T int | int64 | float64](v *T) float64 {
	if v == nil {
		return -1
	}
	return float64(*v)
}

func autostartCell(i *guest.Info) string {
	switch {
	case i.Autostart == nil:
		return "-"
	case *i.Autostart:
		return "yes"
	}
	return "no"
}

func groupsCell(i *guest.Info) string {
	if len(i.Groups) == 0 {
		return "-"
	}
	return strings.Join(i.Groups, ",")
}

func startedCell(i *guest.Info) string {
	if i.StartedAt == nil {
		return "-"
	}
	return i.StartedAt.Local().Format(time.DateTime)
}

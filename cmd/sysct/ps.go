package main

import (
	"bufio"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/sysct/sysct/internal/nearest"
	"github.com/sysct/sysct/pkg/guest"
)

type psOptions struct {
	columns  []string
	noHeader bool
	json     bool
}

const psLong = `List the processes of guests, or of all that run, as the host's kernel sees them: by
their control groups, without a program of the guest's.

PID is the process's number on the host, GPID that in the guest; UID is the user's in the
guest. With -o, or after --, come the columns that you want: guest, pid, gpid, ppid, uid,
huid (the host's id), state, threads, rss, time (CPU), start, comm (the name), args.
Control characters in names and arguments are shown as escapes.`

const psExample = `  sysct ps
  sysct ps web
  sysct ps web -- gpid uid args
  sysct ps --json web | jq '.[] | select(.guest_pid == 1)'`

func newPs(a *app) *cobra.Command {
	o := &psOptions{}
	cmd := &cobra.Command{
		Use: "ps [NAME...] [-- COLUMN...]", Short: "List the processes of guests", Long: psLong, Example: psExample,
		ValidArgsFunction: a.guests(0, upStates()...),
		RunE:              func(cmd *cobra.Command, args []string) error { return runPs(cmd, a, o, args) },
	}
	f := cmd.Flags()
	f.StringSliceVarP(&o.columns, "columns", "o", nil, "these `columns`, with commas between them")
	f.BoolVarP(&o.noHeader, "no-header", "H", false, "no header line")
	f.BoolVar(&o.json, "json", false, "everything, as a JSON array")
	exclusive(cmd, "json", "columns")
	exclusive(cmd, "json", "no-header")
	return cmd
}

func runPs(cmd *cobra.Command, a *app, o *psOptions, args []string) error {
	if at := cmd.ArgsLenAtDash(); at >= 0 {
		for _, word := range args[at:] {
			o.columns = append(o.columns, strings.Split(word, ",")...)
		}
		args = args[:at]
	}
	if o.json && len(o.columns) > 0 {
		return invalid("--json has all columns")
	}
	chosen, err := psChoice(o.columns)
	if err != nil {
		return err
	}
	if err := noneTwice(args); err != nil {
		return err
	}
	m, err := a.manager()
	if err != nil {
		return err
	}
	list, err := m.Processes(cmd.Context(), args...)
	if err != nil {
		return err
	}
	if o.json {
		return a.printJSON(append([]guest.Process{}, list...))
	}
	return a.psTable(chosen, list, !o.noHeader)
}

// psColumn is a column of the table.
type psColumn struct {
	name string
	cell func(*guest.Process) string
}

func psColumns() []psColumn {
	return []psColumn{
		{"guest", func(p *guest.Process) string { return p.Guest }},
		{"pid", func(p *guest.Process) string { return strconv.Itoa(p.Pid) }},
		{"gpid", func(p *guest.Process) string { return optional(p.GuestPid) }},
		{"uid", func(p *guest.Process) string { return optional(p.UID) }},
		{"state", func(p *guest.Process) string { return p.State }},
		{"rss", func(p *guest.Process) string { return bytesText(p.Memory) }},
		{"time", func(p *guest.Process) string { return cpuClock(&p.CPU) }},
		{"args", commandLine},
		{"ppid", func(p *guest.Process) string { return strconv.Itoa(p.Parent) }},
		{"huid", func(p *guest.Process) string { return strconv.FormatUint(uint64(p.HostUID), 10) }},
		{"threads", func(p *guest.Process) string { return strconv.Itoa(p.Threads) }},
		{"start", func(p *guest.Process) string { return p.StartedAt.Local().Format(time.DateTime) }},
		{"comm", func(p *guest.Process) string { return p.Name }},
	}
}

// psDefault is how many of the columns are shown if none is named.
const psDefault = 8

func psChoice(names []string) ([]psColumn, error) {
	all := psColumns()
	if len(names) == 0 {
		return all[:psDefault], nil
	}
	var known []string
	for _, c := range all {
		known = append(known, c.name)
	}
	var chosen []psColumn
	for _, name := range names {
		i := slices.Index(known, strings.ToLower(name))
		if i < 0 {
			hint := "\nhint: " + strings.Join(known, ", ")
			if near := nearest.Of(strings.ToLower(name), known); near != "" {
				hint = "\nhint: did you mean " + near + "?"
			}
			return nil, invalid("unknown column %q%s", name, hint)
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}

// commandLine is the arguments, or as ps has it the name in brackets where there are none.
func commandLine(p *guest.Process) string {
	if len(p.Args) > 0 {
		return strings.Join(p.Args, " ")
	}
	if p.State == "Z" {
		return "[" + p.Name + "] <defunct>"
	}
	return "[" + p.Name + "]"
}

func (a *app) psTable(chosen []psColumn, list []guest.Process, header bool) error {
	out := bufio.NewWriter(a.out)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	line := func(cell func(psColumn) string) {
		cells := make([]string, len(chosen))
		for i, c := range chosen {
			cells[i] = escape(cell(c))
		}
		fmt.Fprintln(w, strings.TrimRight(strings.Join(cells, "\t"), "\t"))
	}
	if header {
		line(func(c psColumn) string { return strings.ToUpper(c.name) })
	}
	for i := range list {
		line(func(c psColumn) string { return c.cell(&list[i]) })
	}
	return errors.Join(w.Flush(), out.Flush())
}

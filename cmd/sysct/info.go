package main

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/sysct/sysct/pkg/guest"
)

const infoLong = `Show what is known of a guest: its state, its storage and ids, what it uses, and how
its last life ended. What it uses stands beside what it may use. What isn't known is left out, or null in JSON, where sizes are
bytes, times RFC 3339 in UTC, and durations seconds. A broken guest is shown as far
as it can be read, with status 1.`

func newInfo(a *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "info NAME", Aliases: []string{"status"}, Short: "Show what is known of a guest",
		Args: oneGuest, ValidArgsFunction: a.guests(1), Long: infoLong,
		Example: "  sysct info web\n  sysct info web --json | jq .usage.memory",
		RunE: func(cmd *cobra.Command, args []string) error {
			m, err := a.manager()
			if err != nil {
				return err
			}
			info, err := m.Info(cmd.Context(), args[0])
			if err != nil {
				return about(args[0], err)
			}
			show := a.printInfo
			if asJSON {
				show = func(i *guest.Info) error { return a.printJSON(i) }
			}
			if err := show(info); err != nil {
				return err
			}
			if info.Error != nil {
				return &statusError{status: exitError}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "as one JSON object")
	return cmd
}

// printInfo prints labels and values; what is unknown is left out.
func (a *app) printInfo(i *guest.Info) error {
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	row := func(label, value string) {
		if value != "" && value != "-" {
			fmt.Fprintf(w, "%s:\t%s\n", label, escape(value))
		}
	}
	row("Name", i.Name)
	row("State", string(i.State))
	row("Broken", optional(i.Error))
	row("PID", optional(i.Pid))
	row("Monitor PID", optional(i.MonitorPid))
	row("Ready", optional(i.Ready))
	row("Started", startedCell(i))
	row("Boots", optional(i.Boots))
	row("Template", optional(i.Template))
	row("Image", optional(i.Image)) // its name begins with release, architecture and init
	row("Backend", optional(i.Backend))
	row("Rootfs", i.Rootfs)
	if i.CreatedAt != nil {
		row("Created", i.CreatedAt.Local().Format(time.DateTime))
	}
	if i.IDBase != nil && i.IDSize != nil {
		row("IDs", idsCell(*i.IDBase, *i.IDSize))
	}
	row("Machine ID", optional(i.MachineID))
	if i.Autostart != nil && *i.Autostart {
		row("Autostart", autostartCell(i))
	}
	row("Groups", groupsCell(i))
	networkRows(i, row)
	usageRows(i.Usage, row)
	if i.Exit != nil {
		row("Last exit", exitText(i.Exit))
	}
	return w.Flush()
}

func exitText(e *guest.ExitInfo) string {
	parts := []string{e.Reason}
	if e.Code != nil {
		parts = append(parts, fmt.Sprintf("status %d", *e.Code))
	}
	if e.Signal != nil {
		parts = append(parts, *e.Signal)
	}
	if e.At != nil {
		parts = append(parts, "at "+e.At.Local().Format(time.DateTime))
	}
	return strings.Join(parts, ", ")
}

// idsCell are the host's ids of a guest.
func idsCell(base, size uint32) string {
	if base == 0 {
		return "the host's (privileged)"
	}
	return fmt.Sprintf("%d-%d", base, base+size-1)
}

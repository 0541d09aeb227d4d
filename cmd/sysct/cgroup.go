package main

import (
	"strings"

	"github.com/spf13/cobra"
)

const cgroupLong = `Read or write a file of a running guest's control group, by its name as the kernel has it.

It is the group with the guest's limits: on control groups v2 its own, for the weights
(cpu.weight, io.weight) the one above it, where other guests' are beside it; on a hybrid
host the one in the v1 hierarchy that has the file, as memory.limit_in_bytes. What is
written here is not in the guest's configuration and doesn't outlast a reboot of the
guest, nor an apply or a set of the key that the file is for: set limits.memory and its
like are for what is to last. cgroup.procs and cgroup.threads
list all who are in the guest, with their pids on the host. Files that hold the guest together, as
cgroup.procs and cgroup.subtree_control, can be read only; freeze, thaw and stop -k do
what cgroup.freeze and cgroup.kill would.`

const cgroupExample = `  sysct cgroup web memory.events
  sysct cgroup web cgroup.procs
  sysct cgroup web pids.max 500
  sysct cgroup web cpu.max '50000 100000'`

func newCgroup(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "cgroup NAME FILE [VALUE]", Short: "Read or write a file of a guest's control group", Long: cgroupLong, Example: cgroupExample,
		Args: cgroupArgs, ValidArgsFunction: a.guests(1, upStates()...),
		RunE: func(cmd *cobra.Command, args []string) error {
			m, err := a.manager()
			if err != nil {
				return err
			}
			if len(args) == 3 {
				return about(args[0], m.SetCgroupFile(cmd.Context(), args[0], args[1], args[2]))
			}
			text, err := m.CgroupFile(cmd.Context(), args[0], args[1])
			if err != nil {
				return about(args[0], err)
			}
			return a.printf("%s\n", strings.TrimRight(text, "\n"))
		},
	}
}

func cgroupArgs(_ *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return missing("guest name")
	case len(args) == 1:
		return missing("file name")
	case len(args) > 3:
		return invalid("too many arguments: %s", args[3])
	}
	return nil
}

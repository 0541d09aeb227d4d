package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sysct/sysct/internal/nearest"
)

// The groups of verbs in the help.
const (
	groupLife   = "life"
	groupWork   = "work"
	groupConfig = "config"
	groupAdmin  = "admin"
)

// newRoot is the command line. args are those that it will be executed with: only
// the verb that they name is built, all of them if they name none, because building
// all costs a short verb a fifth of its time.
func newRoot(a *app, args []string) *cobra.Command {
	asVersion := false
	root := &cobra.Command{
		Use:           "sysct",
		Short:         "Run whole Linux systems as guests",
		Long:          "sysct runs whole Linux systems as guests: built from distribution templates,\nbooted with their real init, each in namespaces and control groups of its own.",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          unknownVerb,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if asVersion {
				return a.printVersion()
			}
			return cmd.Help()
		},
	}
	root.AddGroup(
		&cobra.Group{ID: groupLife, Title: "A guest's life:"},
		&cobra.Group{ID: groupWork, Title: "Inside a guest:"},
		&cobra.Group{ID: groupConfig, Title: "A guest's configuration:"},
		&cobra.Group{ID: groupAdmin, Title: "The host:"})
	f := root.PersistentFlags()
	f.StringVar(&a.dirs.State, "state-dir", "", "guests' directory (SYSCT_STATE_DIR, default /var/lib/sysct)")
	f.StringVar(&a.dirs.Run, "run-dir", "", "run-time directory (SYSCT_RUN_DIR, default /run/sysct)")
	f.StringVar(&a.dirs.Cache, "cache-dir", "", "images' directory (SYSCT_CACHE_DIR, default /var/cache/sysct)")
	f.StringVar(&a.dirs.Log, "log-dir", "", "logs' directory (SYSCT_LOG_DIR, default /var/log/sysct)")
	f.StringVar(&a.hostConfig, "host-config", "", "host configuration (default "+hostConfigPath+")")
	f.BoolVarP(&a.quiet, "quiet", "q", false, "say nothing but errors")
	root.Flags().BoolVarP(&asVersion, "version", "V", false, "print the version, as the verb does")
	root.SetFlagErrorFunc(flagError)
	root.SetOut(a.out)
	root.SetErr(a.err)
	for _, v := range wanted(verbs(), args) {
		root.AddCommand(v.command(a))
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetHelpCommand(verb{groupAdmin, "help", newHelp}.command(a))
	root.SetHelpCommandGroupID(groupAdmin)
	return root
}

// verb is a line of the command line's table of contents.
type verb struct {
	group string
	names string // as it is called: its name and its aliases
	build func(*app) *cobra.Command
}

func verbs() []verb {
	return []verb{
		{groupLife, "create", newCreate},
		{groupLife, "launch", newLaunch},
		{groupLife, "start", newStart},
		{groupLife, "stop", newStop},
		{groupLife, "restart reboot", newRestart},
		{groupLife, "kill", newKill},
		{groupLife, "destroy delete rm", newDestroy},
		{groupLife, "freeze pause", newFreeze},
		{groupLife, "thaw unfreeze resume", newThaw},
		{groupLife, "wait", newWait},
		{groupLife, "clone copy", newClone},
		{groupLife, "rename", newRename},
		{groupWork, "exec attach", newExec},
		{groupWork, "shell enter", newShell},
		{groupWork, "console", newConsole},
		{groupWork, "logs", newLogs},
		{groupConfig, "get", newGet},
		{groupConfig, "set", newSet},
		{groupConfig, "unset", newUnset},
		{groupConfig, "edit", newEdit},
		{groupConfig, "apply", newApply},
		{groupConfig, "cgroup", newCgroup},
		{groupConfig, "enable", newEnable},
		{groupConfig, "disable", newDisable},
		{groupAdmin, "ls list", newLs},
		{groupAdmin, "info status", newInfo},
		{groupAdmin, "top", newTop},
		{groupAdmin, "ps", newPs},
		{groupAdmin, "df", newDf},
		{groupAdmin, "metrics", newMetrics},
		{groupAdmin, "why", newWhy},
		{groupAdmin, "events", newEvents},
		{groupAdmin, "doctor", newDoctor},
		{groupAdmin, "template templates", newTemplate},
		{groupAdmin, "image images", newImage},
		{groupAdmin, "net network", newNet},
		{groupAdmin, "gc", newGC},
		{groupAdmin, "upgrade", newUpgrade},
		{groupAdmin, "host", newHost},
		{groupAdmin, "version", newVersion},
		{groupAdmin, "completion", newCompletion},
		{groupAdmin, "__describe", newDescribe},
		{groupAdmin, "__monitor", newMonitor},
		{groupAdmin, "__scope", newScope},
		{groupAdmin, "__ended", newEnded},
	}
}

// wanted is the verb that the first argument names, or all of them.
func wanted(all []verb, args []string) []verb {
	for _, v := range all {
		if len(args) > 0 && slices.Contains(strings.Fields(v.names), args[0]) {
			return []verb{v}
		}
	}
	return all
}

func (v verb) command(a *app) *cobra.Command {
	cmd := v.build(a)
	cmd.GroupID = v.group
	cmd.Long = longHelp(cmd)
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		a.ran = true
		return run(cmd, args)
	}
	return cmd
}

// unknownVerb suggests the verb that was meant.
func unknownVerb(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var words []string
	for _, c := range cmd.Commands() {
		words = append(append(words, c.Name()), c.Aliases...)
	}
	text := fmt.Sprintf("unknown verb %q", args[0])
	if near := nearest.Of(args[0], words); near != "" {
		text += "\nhint: did you mean " + near + "?"
	}
	return usage(errors.New(text))
}

// exitStatusHelp is what every verb's help ends with.
const exitStatusHelp = `EXIT STATUS
  0  done                     4  bad usage or configuration
  1  failed                   5  locked or busy
  2  guest in wrong state     6  timed out
  3  no such guest`

func longHelp(cmd *cobra.Command) string {
	long := cmd.Long
	if long == "" {
		long = cmd.Short + "."
	}
	if strings.Contains(long, "EXIT STATUS") {
		return long
	}
	return long + "\n\n" + exitStatusHelp
}

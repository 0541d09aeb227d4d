package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/sysct/sysct/internal/nearest"
)

// The groups of verbs in the help.
const (
	groupLife  = "life"
	groupWork  = "work"
	groupAdmin = "admin"
)

func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:           "sysct",
		Short:         "Run whole Linux systems as guests",
		Long:          "sysct runs whole Linux systems as guests: built from distribution templates,\nbooted with their real init, each in namespaces and control groups of its own.",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          unknownVerb,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.AddGroup(
		&cobra.Group{ID: groupLife, Title: "A guest's life:"},
		&cobra.Group{ID: groupWork, Title: "Inside a guest:"},
		&cobra.Group{ID: groupAdmin, Title: "The host:"})
	f := root.PersistentFlags()
	f.StringVar(&a.dirs.State, "state-dir", "", "guests' directory (SYSCT_STATE_DIR, default /var/lib/sysct)")
	f.StringVar(&a.dirs.Run, "run-dir", "", "run-time directory (SYSCT_RUN_DIR, default /run/sysct)")
	f.StringVar(&a.dirs.Cache, "cache-dir", "", "images' directory (SYSCT_CACHE_DIR, default /var/cache/sysct)")
	f.StringVar(&a.dirs.Log, "log-dir", "", "logs' directory (SYSCT_LOG_DIR, default /var/log/sysct)")
	f.StringVar(&a.hostConfig, "host-config", "", "host configuration (default "+hostConfigPath+")")
	f.BoolVarP(&a.quiet, "quiet", "q", false, "say nothing but errors")
	root.SetFlagErrorFunc(flagError)
	root.SetOut(a.out)
	root.SetErr(a.err)
	for _, v := range verbs() {
		cmd := v.build(a)
		cmd.GroupID = v.group
		cmd.Long = longHelp(cmd)
		run := cmd.RunE
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			a.ran = true
			return run(cmd, args)
		}
		root.AddCommand(cmd)
	}
	root.SetHelpCommandGroupID(groupAdmin)
	root.SetCompletionCommandGroupID(groupAdmin)
	root.InitDefaultCompletionCmd()
	return root
}

// verbs is the command line's table of contents.
func verbs() []struct {
	group string
	build func(*app) *cobra.Command
} {
	return []struct {
		group string
		build func(*app) *cobra.Command
	}{
		{groupLife, newCreate}, {groupLife, newLaunch}, {groupLife, newStart}, {groupLife, newStop},
		{groupLife, newRestart}, {groupLife, newKill}, {groupLife, newDestroy}, {groupLife, newFreeze},
		{groupLife, newThaw}, {groupLife, newWait},
		{groupWork, newExec}, {groupWork, newShell}, {groupWork, newConsole}, {groupWork, newLogs},
		{groupAdmin, newLs}, {groupAdmin, newInfo}, {groupAdmin, newTemplate}, {groupAdmin, newGC},
		{groupAdmin, newVersion},
	}
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

// flagError suggests the flag that was meant.
func flagError(cmd *cobra.Command, err error) error {
	text := err.Error()
	word, found := strings.CutPrefix(text, "unknown flag: --")
	if found {
		var words []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) { words = append(words, f.Name) })
		if near := nearest.Of(word, words); near != "" {
			text += "\nhint: did you mean --" + near + "?"
		}
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

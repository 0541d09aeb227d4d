package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sysct/sysct/etc"
	"github.com/sysct/sysct/internal/hostinit"
	"github.com/sysct/sysct/pkg/guest/spec"
)

type hostInitOptions struct {
	root       string
	force, dry bool
}

const hostInitLong = `Set this host up for the running sysct, where no package has installed it: write its
units for systemd, tmpfiles.d and sysctl.d, and /etc/sysct/sysct.toml, and make its
directories. The units name the path of the running program; it and all above it must be
root's alone. Nothing is started.

What is there already is said nothing of. A file that an older sysct wrote and nobody
has changed is updated, one that somebody has changed is kept: with --force it is
replaced, and kept as FILE~.

Without systemd there are no units; sysct host run does their work.`

func newHostInit(a *app) *cobra.Command {
	o := &hostInitOptions{}
	cmd := &cobra.Command{
		Use: "init", Short: "Set the host up for a plain binary", Long: hostInitLong,
		Example: "  sysct host init --dry-run\n  sysct host init && systemctl enable --now sysct",
		Args:    noArgs,
		RunE:    func(*cobra.Command, []string) error { return runHostInit(a, o) },
	}
	f := cmd.Flags()
	f.BoolVarP(&o.dry, "dry-run", "n", false, "change nothing, and show what would be written")
	f.BoolVarP(&o.force, "force", "f", false, "replace files that were changed, keeping them as FILE~")
	f.StringVar(&o.root, "root", "/", "set up the host whose root this `directory` is; the running program lies in it")
	return cmd
}

func runHostInit(a *app, o *hostInitOptions) error {
	if os.Geteuid() != 0 {
		return errNotRoot
	}
	opt, err := a.hostInitOptions(o)
	if err != nil {
		return err
	}
	changes, err := hostinit.Init(opt)
	for i := range changes {
		if perr := a.printChange(&changes[i], o.dry); err == nil {
			err = perr
		}
	}
	if err != nil || a.quiet || o.dry {
		return err
	}
	if !slices.ContainsFunc(changes, func(c hostinit.Change) bool { return c.Action != hostinit.Kept && c.Action != hostinit.Found }) {
		if err := a.printf("nothing changed\n"); err != nil {
			return err
		}
	}
	return a.printNext(&opt)
}

// hostInitOptions says what is to be set up: this program, in the tree that is asked for,
// with the directories that the host's configuration names.
func (a *app) hostInitOptions(o *hostInitOptions) (hostinit.Options, error) {
	var none hostinit.Options
	tree, err := filepath.Abs(o.root)
	if err == nil {
		tree, err = filepath.EvalSymlinks(tree)
	}
	if err != nil {
		return none, invalid("--root: %w", err)
	}
	program, err := os.Executable()
	if err != nil {
		return none, fmt.Errorf("cannot find the running program: %w", err)
	}
	var host *spec.Host
	if tree == "/" {
		if host, err = a.loadHost(); err != nil {
			return none, err
		}
	} else if rest, ok := strings.CutPrefix(program, tree+"/"); ok {
		program = "/" + rest
	} else {
		return none, invalid("--root: the running program, %s, is not in %s\nhint: copy it there, and run that copy", program, tree)
	}
	dirs := spec.ResolveDirs(a.dirs, os.Getenv, host)
	return hostinit.Options{Tree: tree, Program: program, Private: []string{dirs.State, dirs.Cache, dirs.Log, dirs.Run},
		Systemd: hostinit.HasSystemd(tree), Force: o.force, DryRun: o.dry}, nil
}

// printChange is one line, and in a dry run also the file's text.
func (a *app) printChange(c *hostinit.Change, dry bool) error {
	if a.quiet && c.Action != hostinit.Kept {
		return nil
	}
	word := string(c.Action)
	if dry {
		word = wouldBe()[c.Action]
	}
	line := fmt.Sprintf("%-8s  %s", word, c.Path)
	if c.Note != "" {
		line += ": " + c.Note
	}
	text := escape(line) + "\n"
	if dry && c.Action != hostinit.Kept {
		for row := range strings.Lines(string(c.Data)) {
			text += "  | " + row
		}
	}
	return a.printf("%s", text)
}

// wouldBe are the words of a dry run.
func wouldBe() map[hostinit.Action]string {
	return map[hostinit.Action]string{
		hostinit.Made: "would make", hostinit.Wrote: "would write", hostinit.Updated: "would update",
		hostinit.Replaced: "would replace", hostinit.Kept: "would keep", hostinit.Found: "there is",
	}
}

// printNext says what is to be done next.
func (a *app) printNext(o *hostinit.Options) error {
	var next []string
	if o.Tree == "/" {
		if low := lowSysctls(); len(low) > 0 {
			next = append(next, "sysctl -p /etc/"+etc.SysctlFile+"   # raises "+strings.Join(low, ", "))
		}
	}
	switch {
	case o.Systemd && o.Tree == "/":
		next = append(next, "systemctl enable --now sysct")
	case o.Systemd:
		next = append(next, "systemctl --root="+o.Tree+" enable sysct")
	default:
		next = append(next, o.Program+" host run   # starts guests with the host: have its init run this")
	}
	return a.printf("next:\n  %s\n", strings.Join(next, "\n  "))
}

// lowSysctls are the kernel's parameters that the shipped file would raise.
func lowSysctls() []string {
	text, err := etc.FS.ReadFile(etc.SysctlFile)
	if err != nil {
		return nil
	}
	var low []string
	for _, s := range etc.Sysctls(string(text)) {
		data, err := os.ReadFile(s.Path())
		if err != nil {
			continue
		}
		if now, err := strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64); err == nil && now < s.Value {
			low = append(low, s.Key)
		}
	}
	return low
}

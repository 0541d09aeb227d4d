// Package hostinit sets up a host for a sysct that no package has installed: a plain binary
// that was copied to it. It writes the files of package etc where the administrator's own
// are, for that binary's path, and makes the directories. What the administrator has changed
// is left alone. It starts nothing.
package hostinit

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/safefs"
)

// Options are what Init has to know.
type Options struct {
	Tree    string   // the host's root, "/" or where another one's lies
	Program string   // the binary's path there
	Private []string // directories that only root may enter: the guests', the logs'
	Systemd bool     // the host is run by systemd, or will be
	Force   bool     // replace what the administrator has changed, keeping it under its name with ~
	DryRun  bool     // change nothing
}

// Action is what was done about a file or directory, or would be.
type Action string

// The actions. Only Kept and Found leave the host without what sysct has.
const (
	Made     Action = "made"     // a directory
	Wrote    Action = "wrote"    // a file that wasn't there
	Updated  Action = "updated"  // a file of an older sysct that nobody has changed
	Replaced Action = "replaced" // one that somebody has changed; it is kept as FILE~
	Kept     Action = "kept"     // one that somebody has changed, as it is
	Found    Action = "found"    // one that make install or a package has put elsewhere
	Reloaded Action = "reloaded" // systemd's units
)

// Change is one action.
type Change struct {
	Action Action
	Path   string
	Note   string // why, where that isn't plain
	Data   []byte // of a file that is written
}

// maxFile is more than any of the files has.
const maxFile = 1 << 20

// Init sets the host up and gives what it changed, in order, also if it fails at last. What
// already is as it should be isn't named.
func Init(o Options) ([]Change, error) {
	if o.Tree == "/" {
		if err := CheckProgram(o.Program); err != nil {
			return nil, err
		}
	}
	tree, err := safefs.OpenRoot(o.Tree)
	if err != nil {
		return nil, fmt.Errorf("cannot open %s: %w", o.Tree, cause(err))
	}
	defer tree.Close()
	changes, err := plan(tree, o)
	if err != nil || o.DryRun {
		return changes, err
	}
	for i := range changes {
		if err := apply(tree, &changes[i]); err != nil {
			return changes[:i], err
		}
	}
	if o.Tree == "/" && o.Systemd && touchesUnits(changes) {
		if out, err := exec.Command("systemctl", "daemon-reload").CombinedOutput(); err != nil {
			return changes, fmt.Errorf("cannot have systemd read its units again: %w: %s\nhint: systemctl daemon-reload", err, bytes.TrimSpace(out))
		}
		changes = append(changes, Change{Action: Reloaded, Path: "systemd's units"})
	}
	return changes, nil
}

// HasSystemd tells whether systemd runs this host, or is there in another tree to run it.
func HasSystemd(tree string) bool {
	if tree == "/" {
		_, err := os.Stat("/run/systemd/system")
		return err == nil
	}
	root, err := safefs.OpenRoot(tree)
	if err != nil {
		return false
	}
	defer root.Close()
	_, err = root.Lstat("usr/lib/systemd/systemd")
	if err != nil {
		_, err = root.Lstat("lib/systemd/systemd")
	}
	return err == nil
}

// plan looks at everything and says what is to be done.
func plan(tree *safefs.Root, o Options) ([]Change, error) {
	var changes []Change
	for _, d := range directories(o) {
		c, err := planDir(tree, d)
		if err != nil {
			return nil, err
		}
		if c != nil {
			changes = append(changes, *c)
		}
	}
	sources, err := sources(o)
	if err != nil {
		return nil, err
	}
	for i := range sources {
		c, err := planFile(tree, &sources[i], o)
		if err != nil {
			return nil, err
		}
		if c != nil {
			changes = append(changes, *c)
		}
	}
	return changes, nil
}

// apply does one thing that was planned.
func apply(tree *safefs.Root, c *Change) error {
	var err error
	switch c.Action {
	case Made:
		err = makeDir(tree, c.Path)
	case Replaced:
		if old, lerr := tree.ReadFile(c.Path, maxFile); lerr == nil {
			err = tree.WriteFile(c.Path+"~", old, 0o644)
		}
		if err == nil {
			err = tree.WriteFile(c.Path, c.Data, 0o644)
		}
	case Wrote, Updated:
		if err = tree.MkdirAll(filepath.Dir(c.Path), 0o755); err == nil {
			err = tree.WriteFile(c.Path, c.Data, 0o644)
		}
	}
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", c.Path, cause(err))
	}
	return nil
}

// cause is an error of safefs without its words, which speak of guests' trees.
func cause(err error) error {
	var errno unix.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return err
}

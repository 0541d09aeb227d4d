package spec

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"
)

// Hooks is the table [hooks].
type Hooks struct {
	// LXC's pre-start: run on the host before anything of a boot is made.
	// Unit: a command, or a list of them
	// Default: none
	// Change: restart
	// Example: "/etc/sysct/hooks/attach-disk web"
	PreStart Commands `toml:"pre_start"`

	// LXC's pre-mount: run in the guest's namespaces as its root, over the host's
	// tree, before the guest's root is put there.
	// Unit: a command, or a list of them
	// Default: none
	// Change: restart
	// Example: "/etc/sysct/hooks/pre-mount"
	PreMount Commands `toml:"pre_mount"`

	// LXC's mount: run in the guest's namespaces as its root, over the host's tree,
	// when all is mounted below $LXC_ROOTFS_MOUNT. What it mounts there, the guest
	// has.
	// Unit: a command, or a list of them
	// Default: none
	// Change: restart
	// Example: "/bin/mount --bind /srv/www /var/lib/sysct/web/rootfs/srv"
	Mount Commands `toml:"mount"`

	// LXC's autodev: run after mount, in the same way, to add to
	// $LXC_ROOTFS_MOUNT/dev.
	// Unit: a command, or a list of them
	// Default: none
	// Change: restart
	// Example: "/etc/sysct/hooks/dev"
	Autodev Commands `toml:"autodev"`

	// LXC's start-host: run on the host when the guest's namespaces are complete,
	// before its init is executed; $LXC_PID is the process that becomes init.
	// Unit: a command, or a list of them
	// Default: none
	// Change: restart
	// Example: "/etc/sysct/hooks/move-card"
	StartHost Commands `toml:"start_host"`

	// LXC's start: run in the guest right before its init, with a program of the guest
	// and nothing that the guest itself doesn't have.
	// Unit: a command, or a list of them
	// Default: none
	// Change: restart
	// Example: "/usr/local/sbin/prepare"
	Start Commands `toml:"start"`

	// LXC's stop: run on the host when the guest has ended, with references to its
	// namespaces: $LXC_MNT_NS, $LXC_NET_NS and so on.
	// Unit: a command, or a list of them
	// Default: none
	// Change: restart
	// Example: "/etc/sysct/hooks/save-counters"
	Stop Commands `toml:"stop"`

	// LXC's post-stop: run on the host when nothing is left of a boot, also of one
	// that failed.
	// Unit: a command, or a list of them
	// Default: none
	// Change: restart
	// Example: "/etc/sysct/hooks/detach-disk web"
	PostStop Commands `toml:"post_stop"`

	// LXC's clone: run on the host on a clone of this guest before it gets its name;
	// $LXC_SRC_NAME is this guest. A failure ends the clone.
	// Unit: a command, or a list of them
	// Default: none
	// Change: live
	// Example: "/etc/sysct/hooks/new-address"
	Clone Commands `toml:"clone"`

	// LXC's destroy: run on the host before the guest is destroyed. A failure keeps
	// it, unless it is an ephemeral guest that has ended.
	// Unit: a command, or a list of them
	// Default: none
	// Change: live
	// Example: "/etc/sysct/hooks/forget-address"
	Destroy Commands `toml:"destroy"`

	// How long each command may take; then it is killed with all that it has started,
	// and counts as failed.
	// Unit: seconds, or a number with h, m, s or ms; 1s to 1h
	// Default: "60s"
	// Change: restart
	Timeout Duration `toml:"timeout"`
}

// Bounds of hooks.
const (
	maxCommands    = 32 // of one hook
	minHookTimeout = Duration(time.Second)
	maxHookTimeout = Duration(time.Hour)
)

// Hook is the commands of one kind, by LXC's name.
type Hook struct {
	Key      string // hooks.pre_start
	Name     string // pre-start
	Commands Commands
}

// All are the hooks in the order in which a guest's life comes to them.
func (h *Hooks) All() []Hook {
	list := []Hook{
		{Key: "pre_start", Commands: h.PreStart}, {Key: "pre_mount", Commands: h.PreMount}, {Key: "mount", Commands: h.Mount},
		{Key: "autodev", Commands: h.Autodev}, {Key: "start_host", Commands: h.StartHost}, {Key: "start", Commands: h.Start},
		{Key: "stop", Commands: h.Stop}, {Key: "post_stop", Commands: h.PostStop},
		{Key: "clone", Commands: h.Clone}, {Key: "destroy", Commands: h.Destroy},
	}
	for i := range list {
		list[i].Name = strings.ReplaceAll(list[i].Key, "_", "-")
		list[i].Key = "hooks." + list[i].Key
	}
	return list
}

// EndTime is how long the hooks after a guest's end may take.
func (h *Hooks) EndTime() Duration {
	return Duration(len(h.Stop)+len(h.PostStop)+len(h.Destroy)) * h.Timeout
}

func (h *Hooks) check(fail report) {
	for _, hook := range h.All() {
		if len(hook.Commands) > maxCommands {
			fail(hook.Key, "has %d commands: the most is %d", len(hook.Commands), maxCommands)
		}
		for i, command := range hook.Commands {
			if err := checkCommand(command); err != nil {
				path := hook.Key
				if len(hook.Commands) > 1 {
					path = indexPath(path, i)
				}
				fail(path, "%s", err)
			}
		}
	}
	checkRange("hooks.timeout", h.Timeout, minHookTimeout, maxHookTimeout, fail)
}

func checkCommand(command string) error {
	argv, err := splitCommand(command)
	switch {
	case err != nil:
		return err
	case len(argv) == 0:
		return errors.New("the command is empty")
	case !filepath.IsAbs(argv[0]):
		return fmt.Errorf("%s is not an absolute path", show(argv[0]))
	}
	return nil
}

// Commands are command lines. In a file they are one string, or an array of strings.
// No shell reads them: words are separated by blanks, and a word with blanks in it is
// put in ' or ".
type Commands []string

// Argv is each command's program and its arguments, of commands that Check passes.
func (c Commands) Argv() [][]string {
	var all [][]string
	for _, command := range c {
		if argv, err := splitCommand(command); err == nil && len(argv) > 0 {
			all = append(all, argv)
		}
	}
	return all
}

// String is the value as a command line takes it.
func (c Commands) String() string {
	if len(c) == 1 && !strings.HasPrefix(c[0], "[") {
		return c[0]
	}
	return listText(c)
}

// fromTOML takes a string or an array of strings.
func (c *Commands) fromTOML(value any) error {
	const want = "a command, or an array of them"
	switch v := value.(type) {
	case string:
		*c = Commands{v}
		return nil
	case []any:
		list := make(Commands, len(v))
		for i, item := range v {
			s, ok := item.(string)
			if !ok {
				return wrongType(want, item)
			}
			list[i] = s
		}
		*c = list
		return nil
	}
	return wrongType(want, value)
}

// splitCommand takes a command line apart.
func splitCommand(line string) ([]string, error) {
	var argv []string
	var word strings.Builder
	begun, open := false, rune(0)
	for _, r := range line {
		switch {
		case open != 0 && r == open:
			open = 0
		case open == 0 && (r == '\'' || r == '"'):
			begun, open = true, r
		case open == 0 && (r == ' ' || r == '\t'):
			if begun {
				argv = append(argv, word.String())
			}
			word.Reset()
			begun = false
		default:
			word.WriteRune(r)
			begun = true
		}
	}
	if open != 0 {
		return nil, fmt.Errorf("%s: a %c is not closed", show(line), open)
	}
	if begun {
		argv = append(argv, word.String())
	}
	return argv, nil
}

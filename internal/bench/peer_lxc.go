package main

import (
	"fmt"
	"os"
	"path/filepath"
)

// lxc is Debian's LXC with a directory of its own and some lines of configuration.
type lxc struct {
	b      *bench
	letter string
	about  string
	config string
	// direct: lxc-start doesn't find newuidmap. The helper allows only what
	// /etc/subuid has; root needs no helper.
	direct bool
}

// hooksCleared takes back what lxcfs's package adds to every guest.
const hooksCleared = "lxc.hook.mount =\nlxc.hook.post-stop =\n"

// userNamespace maps ids like sysct does: the tree on the disk stays as it is.
const userNamespace = hooksCleared + `lxc.idmap = u 0 3000000 65536
lxc.idmap = g 0 3000000 65536
lxc.rootfs.options = idmap=container
`

func (l *lxc) title() string            { return l.about }
func (l *lxc) name(short string) string { return "bench-" + l.letter + "-" + short }
func (l *lxc) path() string             { return filepath.Join(l.b.dir, "lxc-"+l.letter) }
func (l *lxc) rootfs(name string) string {
	return filepath.Join(l.path(), name, "rootfs")
}

func (l *lxc) argv(v verb, name string, more ...string) []string {
	args := map[verb][]string{
		doStart: {"start", "-d"}, doStop: {"stop"}, doKill: {"stop", "-k"},
		doExec: {"attach", "--"}, doFreeze: {"freeze"}, doThaw: {"unfreeze"},
		doConsole: {"console", "-t", "0"}, doDestroy: {"destroy"},
		doClone: {"copy", "-N"}, doSnapshot: {"copy", "-s", "-B", "overlay", "-N"},
		doInfo: {"info"}, doList: {"ls"}, doListFancy: {"ls", "-f"},
	}[v]
	argv := []string{"/usr/bin/lxc-" + args[0], "-P", l.path()}
	if name != "" {
		argv = append(argv, "-n", name)
	}
	if l.direct && v == doStart {
		argv = append([]string{"/usr/bin/env", "PATH=/usr/sbin"}, argv...)
	}
	return append(append(argv, args[1:]...), more...)
}

// make copies the tree of sysct's image and writes the configuration that Debian's
// templates would write, but for the network: a bridge would have to be made.
func (l *lxc) make(name string, k kind) error {
	if err := os.MkdirAll(filepath.Dir(l.rootfs(name)), 0o755); err != nil {
		return err
	}
	tree, err := l.b.image(k)
	if err != nil {
		return err
	}
	if _, err := l.b.output("/bin/cp", "-a", tree, l.rootfs(name)); err != nil {
		return err
	}
	if err := adapt(l.rootfs(name), k); err != nil {
		return err
	}
	include := map[kind]string{busybox: "common.conf", debian: "debian.common.conf"}[k]
	text := fmt.Sprintf("lxc.include = /usr/share/lxc/config/%s\nlxc.rootfs.path = dir:%s\nlxc.uts.name = %s\n%s%s",
		include, l.rootfs(name), name, lxcCommon, l.config)
	return os.WriteFile(filepath.Join(l.path(), name, "config"), []byte(text), 0o644)
}

// lxcCommon are the lines of all LXC guests here.
const lxcCommon = "lxc.net.0.type = empty\nlxc.apparmor.profile = unconfined\n"

// monitor has the title that LXC gives it.
func (l *lxc) monitor(name string) (int, error) {
	return process("[lxc monitor] " + l.path() + " " + name)
}

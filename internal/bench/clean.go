package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// close ends all guests and removes all that was made.
func (b *bench) close() {
	b.sweep()
	b.lxcfs.stop()
	b.removeGroups()
	b.said.Close()
	if err := errors.Join(os.RemoveAll(b.dir), os.RemoveAll(b.runDir())); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
	}
}

// sweep ends and removes the guests of all peers, those of an earlier call too.
func (b *bench) sweep() {
	for _, p := range append(b.peers, b.netPeers...) {
		l, ok := p.(*lxc)
		if !ok {
			continue
		}
		names, _ := os.ReadDir(l.path())
		for _, e := range names {
			if _, err := l.monitor(e.Name()); err == nil {
				b.output(l.argv(doKill, e.Name())...)
			}
		}
		os.RemoveAll(l.path())
	}
	if guests, err := filepath.Glob(filepath.Join(b.dir, "lib", "bench-*")); err == nil && len(guests) > 0 {
		if _, err := b.output(b.sysct.bin, "-q", "destroy", "-f", "--all"); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
		}
	}
	b.output(b.sysct.bin, "-q", "net", "down", "--all") // its name server outlives this program
	b.output(b.sysct.bin, "-q", "gc")
	b.made = map[string]bool{}
}

// groupRoots are the directories in which LXC makes control groups: the
// hierarchies' roots.
func groupRoots() []string {
	roots, _ := filepath.Glob("/sys/fs/cgroup/*")
	return append(roots, "/sys/fs/cgroup")
}

// pivots are the groups that LXC makes for itself and never removes.
func pivots() map[string]bool {
	there := map[string]bool{}
	for _, root := range groupRoots() {
		if path := filepath.Join(root, "lxc.pivot"); exists(path) {
			there[path] = true
		}
	}
	return there
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// removeGroups removes what LXC has left of guests of ours, and its pivots if they
// weren't there before. A group with processes in it can't be removed, so the
// last monitors are waited for.
func (b *bench) removeGroups() {
	err := waitFor("LXC's control groups are still in use", 5*time.Second, func() (bool, error) {
		left := 0
		for path := range pivots() {
			if !b.pivots[path] {
				os.Remove(path) // in use by another LXC: it stays
			}
		}
		for _, root := range groupRoots() {
			groups, _ := filepath.Glob(filepath.Join(root, "lxc.*.bench-*"))
			for _, g := range groups {
				if !removeGroup(g) {
					left++
				}
			}
		}
		return left == 0, nil
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
	}
}

// removeGroup removes a group with those below it, and says whether it is gone.
func removeGroup(path string) bool {
	entries, _ := os.ReadDir(path)
	for _, e := range entries {
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
			removeGroup(filepath.Join(path, e.Name()))
		}
	}
	err := os.Remove(path)
	return err == nil || os.IsNotExist(err)
}

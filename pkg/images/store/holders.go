package store

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// wanted tells whether a file is in the root that is being unmounted.
type wanted func(*unix.Statx_t) bool

// holdersOfMount returns who keeps the mount m of this namespace from being
// unmounted: processes with a file open on that mount, and mounts upon it.
func holdersOfMount(m mountEntry) []Holder {
	var found []Holder
	mounts, err := ownMounts()
	if err == nil {
		for _, sub := range mounts {
			if sub.parent == m.id && sub.id != m.id {
				found = append(found, Holder{What: "mount on " + printable(sub.point)})
			}
		}
	}
	want := func(st *unix.Statx_t) bool { return st.Mnt_id == m.id }
	for _, pid := range allPids() {
		if what := usedBy(pid, want); what != "" {
			found = append(found, Holder{Pid: pid, Command: commandOf(pid), What: what})
		}
	}
	return found
}

// holdersOfSuperblock returns who keeps the overlay superblock alive of which
// dev and source are known: further mounts here, mount namespaces that have a
// copy (by one process of each), and open files. dev is a number that the
// kernel gives again to the next overlay, so it counts only while no mount
// with another source has it. Without any mount it isn't sure whose it is: of a
// guest that is being started the root is a descriptor first.
func holdersOfSuperblock(gone mountEntry) (found []Holder, sure bool) {
	pids := allPids()
	found, byPid, reused := mountsOfSuperblock(pids, gone)
	if reused {
		return nil, true
	}
	sure = len(found)+len(byPid) > 0
	want := func(st *unix.Statx_t) bool {
		return fmt.Sprintf("%d:%d", st.Dev_major, st.Dev_minor) == gone.dev
	}
	for _, pid := range pids {
		what := usedBy(pid, want)
		if what == "" && byPid[pid] {
			what = whatNamespace
		}
		if what != "" {
			found = append(found, Holder{Pid: pid, Command: commandOf(pid), What: what})
		}
	}
	return found, sure
}

// mountsOfSuperblock returns the mounts of the superblock in this namespace
// and the first process of each other namespace that has one. reused is true
// if the number belongs to another superblock now.
func mountsOfSuperblock(pids []int, gone mountEntry) (here []Holder, byPid map[int]bool, reused bool) {
	byPid = map[int]bool{}
	own, err := os.Readlink("/proc/thread-self/ns/mnt")
	if err != nil {
		return nil, byPid, false
	}
	seen := map[string]bool{}
	for _, pid := range append([]int{os.Getpid()}, pids...) {
		space, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/mnt", pid))
		if err != nil || seen[space] {
			continue
		}
		seen[space] = true
		for _, m := range mountsOf(pid) {
			switch {
			case m.dev != gone.dev:
			case m.source != gone.source:
				return nil, nil, true
			case space == own:
				here = append(here, Holder{What: "mount on " + printable(m.point)})
			default:
				byPid[pid] = true
			}
		}
	}
	return here, byPid, false
}

func mountsOf(pid int) []mountEntry {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/mountinfo", pid))
	if err != nil {
		return nil // ended meanwhile
	}
	return parseMountinfo(text)
}

// usedBy tells how a process uses a wanted file, or "".
func usedBy(pid int, want wanted) string {
	at := fmt.Sprintf("/proc/%d/", pid)
	for _, link := range []string{"cwd", "root"} {
		if leadsTo(at+link, want) {
			return link
		}
	}
	if fd := firstIn(at+"fd", want); fd != "" {
		return "fd " + fd
	}
	if leadsTo(at+"exe", want) || firstIn(at+"map_files", want) != "" {
		return "mapped file"
	}
	return ""
}

func firstIn(dir string, want wanted) string {
	d, err := os.Open(dir)
	if err != nil {
		return "" // ended meanwhile, or not ours to see
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return ""
	}
	for _, name := range names {
		if leadsTo(dir+"/"+name, want) {
			return name
		}
	}
	return ""
}

// leadsTo follows one of /proc's links. DONT_SYNC, so that a file on a dead
// server doesn't hang us.
func leadsTo(link string, want wanted) bool {
	var st unix.Statx_t
	flags := unix.AT_STATX_DONT_SYNC | unix.AT_NO_AUTOMOUNT
	err := unix.Statx(unix.AT_FDCWD, link, flags, unix.STATX_INO|unix.STATX_MNT_ID, &st)
	return err == nil && want(&st)
}

func allPids() []int {
	d, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return nil
	}
	var pids []int
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

func commandOf(pid int) string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		return "a process"
	}
	return printable(strings.TrimSuffix(string(text), "\n"))
}

// printable replaces what a process or a path could say to a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !strconv.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}

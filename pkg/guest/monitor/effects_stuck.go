package monitor

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// freeJob looks for who keeps a killed guest from ending: the init of a pid
// namespace ends only when all of its processes are reaped, and what entered it
// from outside has a parent there, which may not do that (pid_namespaces(7)). A
// client of ours that was stopped, by Ctrl-Z for one, is ended.
func (m *monitor) freeJob() func() func() {
	pid, group := m.core.Life.Pid, "/"+m.plan.Base+"/"+m.plan.groupName()+"/guest/"
	return func() func() {
		var found Stuck
		for zombie, parent := range zombiesBelow(pid, group) {
			switch {
			case parent == os.Getpid(): // reaps it
			case endStopped(parent, zombie):
				found.Ended = append(found.Ended, parent)
			default:
				found.Waits = fmt.Sprintf("process %d (%s), which does not reap", parent, comm(parent))
			}
		}
		return func() { m.emit(found) }
	}
}

// zombiesBelow yields the zombies of the guest's group whose parent is outside
// of it, with that parent, each parent once. The group is named as in
// /proc/PID/cgroup, which goes on for a zombie to say where it was.
func zombiesBelow(init int, group string) func(yield func(zombie, parent int) bool) {
	return func(yield func(zombie, parent int) bool) {
		before, _, ok := strings.Cut(groupOf(init), group)
		entries, err := os.ReadDir("/proc")
		if !ok || err != nil {
			return
		}
		group = before + group
		seen := map[int]bool{}
		for _, e := range entries {
			pid, err := strconv.Atoi(e.Name())
			if err != nil {
				continue
			}
			state, parent := statOf(pid)
			if state != 'Z' || pid == init || seen[parent] || parent == 0 ||
				!strings.HasPrefix(groupOf(pid), group) || strings.HasPrefix(groupOf(parent), group) {
				continue
			}
			seen[parent] = true
			if !yield(pid, parent) {
				return
			}
		}
	}
}

// endStopped kills a stopped sysct that should reap the zombie. Its pidfd comes
// first: what is then read is of the process that is killed.
func endStopped(pid, zombie int) bool {
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return false
	}
	defer unix.Close(pidfd)
	state, _ := statOf(pid)
	if _, parent := statOf(zombie); parent != pid || state != 'T' && state != 't' || !isSysct(pid) {
		return false
	}
	return unix.PidfdSendSignal(pidfd, unix.SIGKILL, nil, 0) == nil
}

// isSysct says whether a process is the command line, run by the host's root.
func isSysct(pid int) bool {
	dir := "/proc/" + strconv.Itoa(pid)
	status, err := os.ReadFile(dir + "/status")
	if err != nil || !bytes.Contains(status, []byte("\nUid:\t0\t0\t0\t0\n")) {
		return false
	}
	// A file that was replaced by an upgrade has a remark behind its name.
	exe, _ := os.Readlink(dir + "/exe")
	line, _ := os.ReadFile(dir + "/cmdline")
	argv0, _, _ := bytes.Cut(line, []byte{0})
	return filepath.Base(strings.TrimSuffix(exe, " (deleted)")) == "sysct" || filepath.Base(string(argv0)) == "sysct"
}

// groupOf is a process's v2 group, "" if it has gone.
func groupOf(pid int) string {
	data, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cgroup")
	for line := range strings.Lines(string(data)) {
		if path, ok := strings.CutPrefix(line, "0::"); ok {
			return strings.TrimSuffix(strings.TrimSuffix(path, "\n"), " (deleted)") + "/"
		}
	}
	return ""
}

// statOf is the state and the parent of a process, as proc_pid_stat(5) has them.
func statOf(pid int) (state byte, parent int) {
	data, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	// The name may have anything in it, but it is the last that ends in this way.
	f := bytes.Fields(data[bytes.LastIndexByte(data, ')')+1:])
	if len(f) < 2 {
		return 0, 0
	}
	parent, _ = strconv.Atoi(string(f[1]))
	return f[0][0], parent
}

func comm(pid int) string {
	name, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/comm")
	return printable(strings.TrimSuffix(string(name), "\n"))
}

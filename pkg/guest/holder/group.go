package holder

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// groupName is the control group of the holder and the monitors, beside those
// of the guests: no limit of a guest holds for them, and none of the session
// that happened to start the holder.
const groupName = ".holder"

// group is where the holder is in the v2 hierarchy.
type group struct {
	base string // directory of the instance's groups; empty: it didn't move
	old  string // cgroup.procs of where it came from
}

// makeGroup makes the holder's group, to be born in, and opens it.
func makeGroup(base string) (int, error) {
	mount, _, err := v2()
	if err != nil || base == "" {
		return -1, errors.Join(err, os.ErrNotExist)
	}
	dir := filepath.Join(mount, base, groupName)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return -1, err
	}
	return unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
}

// enterGroup moves this process into its own group, if it wasn't born in it. It is
// best effort: on a host that doesn't allow it, a holder works where it is.
func enterGroup(base string, log *logger) group {
	if base == "" {
		return group{}
	}
	mount, own, err := v2()
	if err != nil {
		log.printf("cannot find the v2 control groups: %v", err)
		return group{}
	}
	g := group{base: filepath.Join(mount, base), old: filepath.Join(mount, own, "cgroup.procs")}
	dir := filepath.Join(g.base, groupName)
	if own == "/"+base+"/"+groupName {
		g.old = filepath.Join(mount, "cgroup.procs") // back to where processes are taken always
		return g
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		log.printf("cannot make own control group: %v", err)
		return group{}
	}
	if err := join(filepath.Join(dir, "cgroup.procs")); err != nil {
		log.printf("cannot enter own control group: %v", err)
		os.Remove(dir)
		os.Remove(g.base)
		return group{}
	}
	if strings.HasPrefix(own, "/"+base+"/") {
		// Started by a monitor, from the group that is to be removed at the end.
		g.old = filepath.Join(mount, "cgroup.procs")
	}
	return g
}

// leave moves back and removes the group, and the instance's if it is empty.
func (g group) leave() {
	if g.base == "" {
		return
	}
	if join(g.old) != nil {
		// That group is gone: the root takes processes always.
		join(filepath.Join(filepath.Dir(g.base), "cgroup.procs"))
	}
	// What a monitor has killed last, a hook of its guest, may not have died yet.
	dir := filepath.Join(g.base, groupName)
	for begin := time.Now(); ; time.Sleep(leaveRetry) {
		err := os.Remove(dir)
		waited := time.Since(begin)
		if !errors.Is(err, unix.EBUSY) || waited > dyingTime || waited > leaveTime && lives(dir) {
			break
		}
	}
	os.Remove(g.base)
}

// How long the holder's end waits for its group to be empty, and how often it looks. A
// start waits as long, so it is longer only while nothing is there but what is dying.
const (
	leaveTime  = 500 * time.Millisecond
	dyingTime  = 5 * time.Second
	leaveRetry = 5 * time.Millisecond
)

// lives says whether a process of a group goes on, such as one that a hook has left
// running: it wasn't killed. Source: proc_pid_stat(5), flags and signal, counted after the
// name, which may have blanks.
func lives(dir string) bool {
	const exiting, killed = 0x4 | 0x400, 1 << (unix.SIGKILL - 1) // PF_EXITING, PF_SIGNALED
	pids, _ := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
	for _, pid := range strings.Fields(string(pids)) {
		stat, err := os.ReadFile("/proc/" + pid + "/stat")
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		if err != nil || len(fields) < 29 {
			continue // it is gone
		}
		flags, _ := strconv.ParseUint(fields[6], 10, 64)
		signals, _ := strconv.ParseUint(fields[28], 10, 64)
		if flags&exiting == 0 && signals&killed == 0 {
			return true
		}
	}
	return false
}

func join(procs string) error {
	return os.WriteFile(procs, []byte(strconv.Itoa(os.Getpid())), 0)
}

// v2 finds where the v2 hierarchy is mounted, and this process's group in it.
func v2() (mount, own string, err error) {
	info, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "", "", err
	}
	groups, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "", "", err
	}
	mount, own = findV2(string(info), string(groups))
	if mount == "" {
		return "", "", os.ErrNotExist
	}
	return mount, own, nil
}

// findV2 reads mountinfo(5) and the cgroup file of cgroups(7).
func findV2(mountinfo, cgroup string) (mount, own string) {
	for line := range strings.Lines(mountinfo) {
		left, right, ok := strings.Cut(line, " - ")
		fields := strings.Fields(left)
		if ok && len(fields) > 4 && strings.HasPrefix(right, "cgroup2 ") {
			mount = fields[4]
			break
		}
	}
	for line := range strings.Lines(cgroup) {
		if path, ok := strings.CutPrefix(line, "0::"); ok {
			own = strings.TrimSuffix(path, "\n")
		}
	}
	return mount, own
}

package cgroupfs

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// pidsBelow lists the processes of the group and of all below it. Processes that
// this pid namespace doesn't see (0) are left out.
func pidsBelow(d *dir) ([]int, error) {
	pids, err := pidsOf(d)
	if err != nil && !gone(err) {
		return nil, err
	}
	err = walk(d.fd, func(parent int, name string) error {
		fd, err := openat(parent, name, dirFlags)
		if err != nil {
			return ignoreGone(err)
		}
		defer unix.Close(fd)
		more, err := pidsOf(&dir{fd, d.path + "/…/" + name})
		pids = append(pids, more...)
		return ignoreGone(err)
	})
	return pids, ignoreGone(err)
}

func pidsOf(d *dir) ([]int, error) {
	words, err := d.words("cgroup.procs")
	if errors.Is(err, unix.EOPNOTSUPP) {
		return nil, nil // a threaded group: its processes are listed in the domain above
	}
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, word := range words {
		pid, err := strconv.Atoi(word)
		if err != nil {
			return nil, fmt.Errorf("cannot parse %s/cgroup.procs: %w", d.path, err)
		}
		if pid != 0 {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

func ignoreGone(err error) error {
	if gone(err) {
		return nil
	}
	return err
}

// occupant says which process is in the group or below it, for a message; "" if none.
func occupant(d *dir) string {
	pids, err := pidsBelow(d)
	if err != nil || len(pids) == 0 {
		return ""
	}
	return describe(pids[0])
}

// describe is `process 12 ("sh")`. A process names itself: the name is quoted.
func describe(pid int) string {
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		return fmt.Sprintf("process %d", pid)
	}
	return fmt.Sprintf("process %d (%q)", pid, strings.TrimSuffix(string(name), "\n"))
}

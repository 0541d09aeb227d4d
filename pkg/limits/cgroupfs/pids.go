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
func pidsBelow(d *dir) ([]int, error) { return idsBelow(d, "cgroup.procs") }

// idsBelow does so by one of the files that list them, cgroup.procs or cgroup.threads.
func idsBelow(d *dir, file string) ([]int, error) {
	ids, err := idsOf(d, file)
	if err != nil && !gone(err) {
		return nil, err
	}
	err = walk(d.fd, func(parent int, name string) error {
		fd, err := openat(parent, name, dirFlags)
		if err != nil {
			return ignoreGone(err)
		}
		defer unix.Close(fd)
		more, err := idsOf(&dir{fd, d.path + "/…/" + name}, file)
		ids = append(ids, more...)
		return ignoreGone(err)
	})
	return ids, ignoreGone(err)
}

func idsOf(d *dir, file string) ([]int, error) {
	words, err := d.words(file)
	if errors.Is(err, unix.EOPNOTSUPP) {
		return nil, nil // a threaded group: its processes are listed in the domain above
	}
	if err != nil {
		return nil, err
	}
	var ids []int
	for _, word := range words {
		id, err := strconv.Atoi(word)
		if err != nil {
			return nil, fmt.Errorf("cannot parse %s/%s: %w", d.path, file, err)
		}
		if id != 0 {
			ids = append(ids, id)
		}
	}
	return ids, nil
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

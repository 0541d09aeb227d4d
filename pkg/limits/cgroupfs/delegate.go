package cgroupfs

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// delegateList is where the kernel lists the files that a delegated group's owner
// is meant to write.
const delegateList = "/sys/kernel/cgroup/delegate"

// delegate hands a group to its owner: the directory, so that groups can be made in
// it, and the files that hold no limit. The limits are one group above.
func delegate(d *dir, owner uint32) error {
	files, err := delegated(d)
	if err != nil {
		return err
	}
	for _, name := range files {
		err := unix.Fchownat(d.fd, name, int(owner), int(owner), unix.AT_SYMLINK_NOFOLLOW)
		if err != nil && err != unix.ENOENT {
			return d.fail("chown", name, err)
		}
	}
	if err := unix.Fchown(d.fd, int(owner), int(owner)); err != nil {
		return &os.PathError{Op: "chown", Path: d.path, Err: err}
	}
	return nil
}

// delegated names the files that are handed over, if they exist.
func delegated(d *dir) ([]string, error) {
	files := []string{"cgroup.procs", "cgroup.threads", "cgroup.subtree_control"}
	list, err := os.ReadFile(delegateList)
	if err != nil && !os.IsNotExist(err) {
		return nil, fmt.Errorf("cannot list what can be delegated: %w", err)
	}
	for _, name := range strings.Fields(string(list)) {
		if checkComponent(name) == nil && !slices.Contains(files, name) {
			files = append(files, name)
		}
	}
	pressure, err := pressureFiles(d)
	return append(files, pressure...), err
}

// pressureFiles names the files in which triggers for pressure can be set. The one
// called cgroup.pressure is another thing: it switches their accounting off, and
// they'd vanish from under the guest's /proc/pressure.
func pressureFiles(d *dir) ([]string, error) {
	fd, err := openat(d.fd, ".", dirFlags)
	if err != nil {
		return nil, d.fail("open", ".", err)
	}
	defer unix.Close(fd)
	all, err := entries(fd)
	if err != nil {
		return nil, d.fail("read", ".", err)
	}
	var files []string
	for _, e := range all {
		if strings.HasSuffix(e.name, ".pressure") && e.name != "cgroup.pressure" {
			files = append(files, e.name)
		}
	}
	return files, nil
}

// Package disks finds the whole disk that a path lies on, which is what control groups
// can limit. It makes nothing and changes nothing.
package disks

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Disk is a block device by its numbers.
type Disk struct{ Major, Minor uint32 }

func (d Disk) String() string { return fmt.Sprintf("%d:%d", d.Major, d.Minor) }

// Of finds the disk of a path: a block device's own, or the one that a file or directory
// lies on. Of a partition it is the disk that has it. A path that isn't there is
// fs.ErrNotExist; one that lies on no disk, as on a tmpfs, is an error that says on what.
func Of(path string) (Disk, error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return Disk{}, &os.PathError{Op: "stat", Path: path, Err: err}
	}
	number := st.Dev
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFBLK:
		number = st.Rdev
	case unix.S_IFCHR:
		return Disk{}, fmt.Errorf("%s is a character device and no disk", path)
	}
	d := Disk{unix.Major(number), unix.Minor(number)}
	if d.Major == 0 { // numbers that a file system has made up, as btrfs does
		var err error
		if d, err = mounted(path); err != nil {
			return Disk{}, fmt.Errorf("%s %w", path, err)
		}
	}
	return whole("/sys", d)
}

// mounted finds the device that the file system of a path was mounted from. It goes by the
// mount: what btrfs says of a file is its subvolume's number, which no mount has.
func mounted(path string) (Disk, error) {
	var st unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, path, 0, unix.STATX_MNT_ID, &st); err != nil {
		return Disk{}, &os.PathError{Op: "statx", Path: path, Err: err}
	}
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return Disk{}, err
	}
	kind, source := mountOf(string(text), strconv.FormatUint(st.Mnt_id, 10))
	var dev unix.Stat_t
	if !strings.HasPrefix(source, "/") || unix.Stat(source, &dev) != nil || dev.Mode&unix.S_IFMT != unix.S_IFBLK {
		return Disk{}, fmt.Errorf("lies on no disk: it is on a file system of type %s", kind)
	}
	d := Disk{unix.Major(dev.Rdev), unix.Minor(dev.Rdev)}
	return d, alone("/sys", d)
}

// alone says of a btrfs over several devices which they are: none of them is the disk.
func alone(sys string, d Disk) error {
	node, err := filepath.EvalSymlinks(sys + "/dev/block/" + d.String())
	if err != nil {
		return nil // see whole
	}
	with, err := filepath.Glob(sys + "/fs/btrfs/*/devices/" + filepath.Base(node))
	if err != nil || len(with) != 1 {
		return err
	}
	entries, err := os.ReadDir(filepath.Dir(with[0]))
	if err != nil || len(entries) < 2 {
		return err
	}
	var names []string
	for _, e := range entries {
		names = append(names, "/dev/"+e.Name())
	}
	return fmt.Errorf("lies on several disks, name each of them: %s", strings.Join(names, ", "))
}

// mountOf finds the type and the source of the mount with that id in the text of
// mountinfo. Source: proc_pid_mountinfo(5).
func mountOf(text, id string) (kind, source string) {
	for line := range strings.Lines(text) {
		before, after, ok := strings.Cut(line, " - ")
		fields, rest := strings.Fields(before), strings.Fields(after)
		if ok && len(fields) > 0 && fields[0] == id && len(rest) > 1 {
			return rest[0], rest[1]
		}
	}
	return "unknown", ""
}

// whole goes from a partition to its disk. Source: the kernel's Documentation/ABI, sysfs-block.
func whole(sys string, d Disk) (Disk, error) {
	dir, err := filepath.EvalSymlinks(sys + "/dev/block/" + d.String())
	if err != nil {
		return d, fmt.Errorf("%s is no disk of this host: %w", d, err)
	}
	_, err = os.Stat(dir + "/partition")
	if errors.Is(err, os.ErrNotExist) {
		return d, nil
	}
	if err != nil {
		return d, err
	}
	text, err := os.ReadFile(filepath.Dir(dir) + "/dev")
	if err != nil {
		return d, err
	}
	if _, err := fmt.Sscanf(string(text), "%d:%d", &d.Major, &d.Minor); err != nil {
		return d, fmt.Errorf("cannot parse %s/dev: %w", filepath.Dir(dir), err)
	}
	return d, nil
}

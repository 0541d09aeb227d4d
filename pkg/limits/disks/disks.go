// Package disks finds the whole disk that a path lies on, which is what control groups
// can limit. It makes nothing and changes nothing.
package disks

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
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
		if d, err = mounted(d); err != nil {
			return Disk{}, fmt.Errorf("%s %w", path, err)
		}
	}
	return whole("/sys", d)
}

// mounted finds the device that a file system was mounted from.
func mounted(made Disk) (Disk, error) {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return Disk{}, err
	}
	kind, source := mountOf(string(text), made.String())
	var st unix.Stat_t
	if !strings.HasPrefix(source, "/") || unix.Stat(source, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFBLK {
		return Disk{}, fmt.Errorf("lies on no disk: it is on a file system of type %s", kind)
	}
	return Disk{unix.Major(st.Rdev), unix.Minor(st.Rdev)}, nil
}

// mountOf finds the type and the source of the file system with that number in the text
// of mountinfo. Source: proc_pid_mountinfo(5).
func mountOf(text, number string) (kind, source string) {
	for line := range strings.Lines(text) {
		before, after, ok := strings.Cut(line, " - ")
		fields, rest := strings.Fields(before), strings.Fields(after)
		if ok && len(fields) > 2 && fields[2] == number && len(rest) > 1 {
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

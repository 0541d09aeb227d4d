package limitstest

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// roleVariable makes a process of the test binary play a part instead of testing.
const roleVariable = "LIMITSTEST_ROLE"

// Main is to be called by TestMain of every test binary that runs the suite.
func Main(m *testing.M) {
	role, argument, _ := strings.Cut(os.Getenv(roleVariable), ":")
	var err error
	switch role {
	case "":
		os.Exit(m.Run())
	case "hog":
		err = hog(argument)
	case "hold":
		if err = hog(argument); err == nil {
			_ = unix.Pause() // until it is killed
		}
	case "stuck":
		err = stuck(argument)
	case "write":
		if err = write(argument); err == nil {
			os.Exit(0)
		}
	}
	fmt.Fprintln(os.Stderr, role, err)
	os.Exit(1)
}

// hog uses memory that can't be swapped out: one page more than there is ends it.
func hog(size string) error {
	n, err := strconv.Atoi(size)
	if err != nil {
		return err
	}
	memory, err := unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return err
	}
	return unix.Mlock(memory)
}

// stuck mounts a FUSE file system that nobody serves and looks into it: a sleep
// that no signal but SIGKILL ends. The mount is in a namespace of this process. The
// argument is the mount point and, after a colon, a file that is made just before the look.
func stuck(argument string) error {
	mountpoint, looks, _ := strings.Cut(argument, ":")
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	fd, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	options := fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0", fd)
	if err := unix.Mount("stuck", mountpoint, "fuse", unix.MS_NOSUID|unix.MS_NODEV, options); err != nil {
		return err
	}
	if err := os.WriteFile(looks, nil, 0o600); err != nil {
		return err
	}
	var st unix.Stat_t
	return unix.Stat(mountpoint, &st)
}

package confine

import (
	"errors"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// All builds run with the same ids, so what one of them sees of another in /proc, it can reach. Each has a /proc of its own pid
// namespace therefore, and the host's is nowhere. It can't simply be mounted over the host's, as the program, root in its user
// namespace, could unmount it again. So the program gets another root, which is the host's without /proc. It is entered by a
// shell before the program, because two things are needed of the host's /proc until then: this process writes the id maps by it,
// and the kernel grants a new proc mount only where another can be seen in full (mount_too_revealing).
const (
	newRoot = "/tmp/root"
	oldRoot = "/tmp/old"
)

// enterScript goes to the new root and executes its arguments there. The bind mount is for pivot_root: mounts that were there
// when the user namespace was made can't be moved. What is below an unmounted one, goes with it.
const enterScript = `set -e
path=$PATH
PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -o rbind ` + newRoot + " " + newRoot + `
cd ` + newRoot + `
pivot_root . .` + oldRoot + `
cd /
mount -t proc -o nosuid,nodev,noexec proc /proc
umount -l ` + oldRoot + `
PATH=$path
exec "$@"`

func inNewRoot(args []string) []string {
	return append([]string{"/bin/sh", "-c", enterScript, "sh"}, args...)
}

// makeNewRoot is for the thread that is in the build's mount namespace.
func makeNewRoot() error {
	for _, dir := range []string{newRoot, oldRoot} {
		if err := unix.Mkdir(dir, 0o755); err != nil {
			return err
		}
	}
	if err := dropProcs(); err != nil {
		return err
	}
	if err := unix.Mount("/", newRoot, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return err
	}
	return unix.Unmount(newRoot+"/proc", unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
}

// dropProcs detaches further proc mounts of the host, as in a chroot of the administrator's.
func dropProcs() error {
	table, err := os.ReadFile("/proc/thread-self/mountinfo")
	if err != nil {
		return err
	}
	for _, target := range mountPoints(string(table), isFurtherProc) {
		// ENOENT and EINVAL: it lies below another one, and went with it.
		err := unix.Unmount(target, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
		if err != nil && !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.EINVAL) {
			return &os.PathError{Op: "umount", Path: target, Err: err}
		}
	}
	return nil
}

func isFurtherProc(point, kind, _ string) bool {
	return kind == "proc" && point != "/proc" && !strings.HasPrefix(point, "/proc/")
}

// Package mend puts a guest's views back into its mount namespace when their file
// system's connection has ended: a process of its own, for that alone. It isn't for
// starting guests; there package stage does it.
//
//	monitor ──▶ sysct-helper mend: mount, namespace ──▶ setns ──▶ dead ones off, new ones on
//
// It is a process because a guest's root can have a path of its tree lead into a file
// system that never answers, and whoever waits there can't be killed. It keeps the host's
// user namespace, in which no guest can do anything to it.
package mend

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/context/mounts"
)

// Where the descriptors are that [Main] needs.
const (
	MountFD     = 3 // the new file system, detached
	NamespaceFD = 4 // the guest's mount namespace
)

// Args are the arguments of [Main].
type Args struct {
	Views  []string `json:"views"`  // as in mounts.Facts
	Source string   `json:"source"` // of the file systems that are to be replaced
}

// Main is `sysct-helper mend ARGS`, with the arguments as JSON.
func Main(args []string) int {
	if err := run(args); err != nil {
		fmt.Fprintln(os.Stderr, "sysct-helper: mend:", err)
		return 1
	}
	return 0
}

func run(args []string) error {
	var a Args
	if len(args) != 1 {
		return errors.New("it takes one argument")
	}
	if err := json.Unmarshal([]byte(args[0]), &a); err != nil {
		return err
	}
	runtime.LockOSThread() // only this thread goes there
	old, err := enter()
	if err != nil {
		return err
	}
	dead := mountPoints(old, "fuse."+a.Source, mounts.ViewOps(mounts.Facts{Views: a.Views}))
	for _, path := range dead {
		// Whatever the path leads to is the guest's.
		if err := unix.Unmount("/"+path, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW); err != nil {
			return fmt.Errorf("umount2 /%s: %w", path, err)
		}
	}
	root, err := unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open /: %w", err)
	}
	applier := mounts.Applier{Root: root, FD: func(string) (int, error) { return MountFD, nil }}
	for _, op := range mounts.ViewOps(mounts.Facts{Views: a.Views}) {
		if err := applier.Apply(op); err != nil {
			return err
		}
	}
	return nil
}

// enter goes into the guest's mount namespace, and gives its list of mounts.
func enter() (mountinfo string, err error) {
	if err := unix.Unshare(unix.CLONE_FS); err != nil { // else setns refuses a process with threads
		return "", os.NewSyscallError("unshare", err)
	}
	self, err := unix.Open("/proc/thread-self", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", err
	}
	defer unix.Close(self)
	if err := unix.Setns(NamespaceFD, unix.CLONE_NEWNS); err != nil {
		return "", os.NewSyscallError("setns", err)
	}
	// Of this thread, so of the new namespace, by the host's /proc.
	fd, err := unix.Openat(self, "mountinfo", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", err
	}
	f := os.NewFile(uintptr(fd), "mountinfo")
	defer f.Close()
	var b strings.Builder
	_, err = f.WriteTo(&b)
	return b.String(), err
}

// mountPoints finds those of the ops' targets that have a file system of the type mounted
// at them, one as often as it is there, in the order in which they come off.
func mountPoints(mountinfo, fstype string, ops []mounts.Op) []string {
	targets := map[string]bool{}
	for _, op := range ops {
		targets["/"+op.Target] = true
	}
	var found []string
	for line := range strings.Lines(mountinfo) {
		mount, super, _ := strings.Cut(line, " - ")
		m, s := strings.Fields(mount), strings.Fields(super)
		if len(m) > 4 && len(s) > 0 && s[0] == fstype && targets[m[4]] {
			found = append([]string{m[4][1:]}, found...)
		}
	}
	return found
}

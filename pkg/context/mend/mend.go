// Package mend puts a guest's views back into its mount namespace when their file
// system's connection has ended: a process of its own, for that alone. It isn't for
// starting guests; there package stage does it.
//
//	monitor ──▶ sysct-helper mend: mount, namespace ──▶ setns ──▶ new ones in, dead ones off
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
	var new unix.Statx_t
	if err := statx(MountFD, &new); err != nil {
		return err
	}
	self, err := enter()
	if err != nil {
		return err
	}
	defer unix.Close(self)
	root, err := unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open /: %w", err)
	}
	s := site{self: self, root: root, fstype: "fuse." + a.Source, dev: fmt.Sprintf("%d:%d", new.Dev_major, new.Dev_minor)}
	return s.mend(mounts.ViewOps(mounts.Facts{Views: a.Views}))
}

// enter goes into the guest's mount namespace. What it gives is this thread's directory of
// the host's /proc, by which it sees the mounts there.
func enter() (self int, err error) {
	if err := unix.Unshare(unix.CLONE_FS); err != nil { // else setns refuses a process with threads
		return -1, os.NewSyscallError("unshare", err)
	}
	self, err = unix.Open("/proc/thread-self", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, os.NewSyscallError("open", err)
	}
	if err := unix.Setns(NamespaceFD, unix.CLONE_NEWNS); err != nil {
		unix.Close(self)
		return -1, os.NewSyscallError("setns", err)
	}
	return self, nil
}

// statx asks for where a file is, and never its file system's server.
func statx(fd int, st *unix.Statx_t) error {
	err := unix.Statx(fd, "", unix.AT_EMPTY_PATH|unix.AT_STATX_DONT_SYNC|unix.AT_NO_AUTOMOUNT, unix.STATX_MNT_ID, st)
	return os.NewSyscallError("statx", err)
}

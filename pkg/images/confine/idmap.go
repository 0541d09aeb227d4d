package confine

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// attr describes the program's namespaces. Setsid, as the whole build is one process group without a terminal.
func attr(base uint32) *syscall.SysProcAttr {
	maps := []syscall.SysProcIDMap{{ContainerID: 0, HostID: int(base), Size: idCount}}
	return &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWUSER | unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC,
		Pdeathsig:  unix.SIGKILL, Setsid: true,
		UidMappings: maps, GidMappings: maps, GidMappingsEnableSetgroups: true,
		Credential: &syscall.Credential{Uid: 0, Gid: 0},
	}
}

// mapTree returns a detached mount of dir on which the ids of a user namespace at base appear as 0, 1, … on disk.
func mapTree(dir *os.File, base uint32) (int, error) {
	tree, err := unix.OpenTree(int(dir.Fd()), "", unix.AT_EMPTY_PATH|unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return -1, fmt.Errorf("cannot clone the mount of %s: %w", dir.Name(), err)
	}
	ns, err := userNamespace(base)
	if err != nil {
		unix.Close(tree)
		return -1, fmt.Errorf("cannot make a user namespace for the build: %w", err)
	}
	defer ns.Close()
	a := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_IDMAP, Userns_fd: uint64(ns.Fd())}
	if err := unix.MountSetattr(tree, "", unix.AT_EMPTY_PATH, &a); err != nil {
		unix.Close(tree)
		if errors.Is(err, unix.EINVAL) {
			err = fmt.Errorf("%w (its file system has no idmapped mounts: use a directory on another one)", err)
		}
		return -1, fmt.Errorf("cannot map the ids of %s: %w", dir.Name(), err)
	}
	return tree, nil
}

// userNamespace makes a user namespace. The kernel needs a process to make one: cat, which waits for the end of its input.
func userNamespace(base uint32) (*os.File, error) {
	maps := []syscall.SysProcIDMap{{ContainerID: 0, HostID: int(base), Size: idCount}}
	holder := exec.Command("/bin/cat")
	holder.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER, Pdeathsig: unix.SIGKILL, UidMappings: maps, GidMappings: maps}
	input, err := holder.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := holder.Start(); err != nil {
		return nil, err
	}
	ns, err := os.Open(fmt.Sprintf("/proc/%d/ns/user", holder.Process.Pid))
	return ns, errors.Join(err, endHolder(holder, input))
}

func endHolder(holder *exec.Cmd, input io.Closer) error {
	return errors.Join(input.Close(), holder.Wait())
}

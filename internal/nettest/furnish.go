package nettest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// furnish mounts what of a host's file systems depends on its network, in the process's
// own mount namespace.
func furnish() error {
	// What is unmounted on the machine has to go here as well: file systems of guests would
	// stay in use. Nothing goes the other way.
	if err := unix.Mount("", "/", "", unix.MS_SLAVE|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("cannot leave the machine's mounts: %w", err)
	}
	if err := MountSys(); err != nil {
		return err
	}
	return ownEtc()
}

// MountSys mounts a sysfs that shows this network namespace, with what is mounted on the
// machine's, in the mount namespace of the process, which is to be its own. Parts of it
// alone can't be: guests, in user namespaces, may mount a sysfs only where there is one
// with nothing over it.
func MountSys() error {
	below, err := mountsBelow("/sys")
	if err != nil {
		return err
	}
	trees := make([]int, len(below))
	for i, path := range below {
		trees[i], err = unix.OpenTree(unix.AT_FDCWD, path, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_RECURSIVE)
		if err != nil {
			return fmt.Errorf("cannot clone the mounts at %s: %w", path, err)
		}
		defer unix.Close(trees[i])
	}
	if err := unix.Mount("sysfs", "/sys", "sysfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("cannot mount /sys: %w", err)
	}
	for i, path := range below {
		if err := unix.MoveMount(trees[i], "", unix.AT_FDCWD, path, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
			return fmt.Errorf("cannot mount %s: %w", path, err)
		}
	}
	return nil
}

// mountsBelow gives the mount points under a directory, but for those under others of
// them.
func mountsBelow(dir string) ([]string, error) {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	var found []string
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) > 4 && strings.HasPrefix(fields[4], dir+"/") {
			found = append(found, fields[4])
		}
	}
	var first []string
	for _, path := range found {
		top := true
		for _, other := range found {
			top = top && (path == other || !strings.HasPrefix(path, other+"/"))
		}
		if top {
			first = append(first, path)
		}
	}
	return first, nil
}

// ownEtc puts a layer over /etc that takes all that is written there, and takes the
// machine's name servers away.
func ownEtc() error {
	fs, err := unix.Fsopen("tmpfs", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return fmt.Errorf("cannot open tmpfs: %w", err)
	}
	defer unix.Close(fs)
	if err := unix.FsconfigCreate(fs); err != nil {
		return fmt.Errorf("cannot make a tmpfs: %w", err)
	}
	tmp, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("cannot mount a tmpfs: %w", err)
	}
	defer unix.Close(tmp)
	// Before Linux 6.15 a layer has to be on a mount that has a place. Nobody else sees this one.
	const layer = "/mnt"
	if err := unix.MoveMount(tmp, "", unix.AT_FDCWD, layer, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return fmt.Errorf("cannot mount a tmpfs: %w", err)
	}
	defer unix.Unmount(layer, unix.MNT_DETACH)
	for _, dir := range []string{"upper", "work"} {
		if err := os.Mkdir(filepath.Join(layer, dir), 0o755); err != nil {
			return err
		}
	}
	options := fmt.Sprintf("lowerdir=/etc,upperdir=%s/upper,workdir=%s/work", layer, layer)
	if err := unix.Mount("overlay", "/etc", "overlay", 0, options); err != nil {
		return fmt.Errorf("cannot mount a layer over /etc: %w", err)
	}
	if err := os.RemoveAll("/etc/resolv.conf"); err != nil { // it may be a link out of /etc
		return err
	}
	return os.WriteFile("/etc/resolv.conf", nil, 0o644)
}

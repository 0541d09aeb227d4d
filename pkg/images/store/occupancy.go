package store

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

const rootfsName = "rootfs"

// kind is what is mounted on rootfs/.
type kind int

const (
	vacant  kind = iota // nothing
	plain               // an overlay with the ids that are on disk
	running             // a guest's root with shifted ids
	foreign             // anything that sysct didn't put there
)

// occupancy is what a look at rootfs/ found. stat is nil if there is no
// rootfs/ at all.
type occupancy struct {
	kind  kind
	mount mountEntry
	stat  *unix.Statx_t
}

// look tells what is mounted on rootfs/. A rootfs that isn't a directory is an
// error (CVE-2026-23954: a link there led the host out of its store).
func (g *guestDir) look(b backend) (occupancy, error) {
	st, err := statMount(g.fd, rootfsName, unix.AT_SYMLINK_NOFOLLOW)
	if errors.Is(err, unix.ENOENT) {
		return occupancy{}, nil
	}
	if err != nil {
		return occupancy{}, fmt.Errorf("cannot look at %s/rootfs: %w", g.path, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return occupancy{}, fmt.Errorf("refusing %s/rootfs: not a directory, or a symbolic link", g.path)
	}
	if !isMountRoot(st) {
		return occupancy{stat: st}, nil
	}
	m, err := findMount(st.Mnt_id)
	if err != nil {
		return occupancy{}, err
	}
	k, err := b.kindOf(g, m)
	return occupancy{kind: k, mount: m, stat: st}, err
}

// cloneKind is kindOf for the backends that keep the tree in rootfs/ itself:
// what is mounted there is ours if it is the very directory below the mount.
func (g *guestDir) cloneKind() (kind, error) {
	top, err := statMount(g.fd, rootfsName, unix.AT_SYMLINK_NOFOLLOW)
	if err != nil {
		return vacant, err
	}
	under, err := g.statBelow()
	if err != nil {
		return vacant, err
	}
	if sameFile(top, under) {
		return running, nil
	}
	return foreign, nil
}

// expose attaches a clone of root, a detached mount, on rootfs/.
func (g *guestDir) expose(b backend, root int) error {
	o, err := g.look(b)
	if err != nil {
		return err
	}
	if o.kind != vacant {
		st, err := statMount(root, "", unix.AT_EMPTY_PATH)
		if err == nil && o.kind == running && sameFile(o.stat, st) {
			return nil
		}
		return errors.New("something else is mounted there already")
	}
	target, err := g.openDir(rootfsName)
	if err != nil {
		return err
	}
	defer unix.Close(target)
	clone, err := cloneMount(root)
	if errors.Is(err, unix.EINVAL) {
		// Linux before 6.15 doesn't clone detached mounts. Its attributes stay,
		// for they are the guest's too.
		return attachMount(root, target)
	}
	if err != nil {
		return err
	}
	defer unix.Close(clone)
	quiet := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV}
	if err := unix.MountSetattr(clone, "", unix.AT_EMPTY_PATH, &quiet); err != nil {
		return fmt.Errorf("cannot set mount attributes: %w", err)
	}
	return attachMount(clone, target)
}

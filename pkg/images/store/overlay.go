package store

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/ownthread"
)

// What stands as the source of our overlays in mountinfo, before the guest's
// name: how they are told from others'.
const (
	plainSource = "sysct-plain/"
	guestSource = "sysct/"
)

// overlayBackend is a layer of the guest's own upon images.
type overlayBackend struct{ lower []string }

func (overlayBackend) parts() []string       { return []string{rootfsName, "upper", "work"} }
func (overlayBackend) wholeSuperblock() bool { return true }

func (overlayBackend) kindOf(_ *guestDir, m mountEntry) (kind, error) {
	switch {
	case m.fsType == "overlay" && strings.HasPrefix(m.source, plainSource):
		return plain, nil
	case m.fsType == "overlay" && strings.HasPrefix(m.source, guestSource):
		return running, nil
	}
	return foreign, nil
}

// rootOnDisk: the merged root has upper's owner.
func (overlayBackend) rootOnDisk(g *guestDir) (*unix.Statx_t, error) {
	return statMount(g.fd, "upper", unix.AT_SYMLINK_NOFOLLOW)
}

func (b overlayBackend) needLower() error {
	if len(b.lower) == 0 {
		return errors.New("an overlay root needs an image below it")
	}
	return nil
}

func (b overlayBackend) create(ctx context.Context, g *guestDir, image string) error {
	if err := errors.Join(ctx.Err(), b.needLower()); err != nil {
		return err
	}
	if err := g.makeParts(b.parts()); err != nil {
		return err
	}
	// The merged root has upper's owner, mode and attributes.
	return copyRootAttributes(image, g.fd, "upper")
}

// makeParts makes directories of root's alone.
func (g *guestDir) makeParts(names []string) error {
	for _, name := range names {
		err := unix.Mkdirat(g.fd, name, 0o700)
		if err == nil {
			err = unix.Fchownat(g.fd, name, 0, 0, 0) // a set-gid directory above may have given another group
		}
		if err != nil {
			return fmt.Errorf("cannot make %s: %w", name, err)
		}
	}
	return nil
}

func (b overlayBackend) mountPlain(g *guestDir) error {
	o, err := g.look(b)
	if err != nil || o.kind == plain {
		return err
	}
	if err := g.unmount(b); err != nil {
		return err
	}
	if err := b.needLower(); err != nil {
		return err
	}
	target, err := g.openDir(rootfsName)
	if err != nil {
		return err
	}
	defer unix.Close(target)
	layers, closeLayers, err := b.openLayers(g)
	if err != nil {
		return err
	}
	defer closeLayers()
	attrs := unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV
	fd, err := newOverlay(layers, plainSource+g.base, attrs, layers.attachedWays()...)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return attachMount(fd, target)
}

// openLayers opens the directories where they are, with plain ids.
func (b overlayBackend) openLayers(g *guestDir) (l overlayLayers, done func(), err error) {
	var fds fdList
	if l.upper, err = fds.add(g.openDir("upper")); err == nil {
		l.work, err = fds.add(g.openDir("work"))
	}
	for _, path := range b.lower {
		if err == nil {
			var fd int
			fd, err = fds.add(openTree(path))
			l.lower = append(l.lower, fd)
		}
	}
	if err != nil {
		fds.close()
		return l, nil, err
	}
	return l, fds.close, nil
}

// openRoot maps the ids of each layer, as an overlay itself can't be mapped.
func (b overlayBackend) openRoot(g *guestDir, userns int) (int, error) {
	if err := errors.Join(b.needLower(), g.refuseLingering(departGrace)); err != nil {
		return -1, err
	}
	target, err := g.openDir(rootfsName)
	if err != nil {
		return -1, err
	}
	unix.Close(target)
	layers, mounts, err := b.mapLayers(g, userns)
	if err != nil {
		return -1, err
	}
	defer mounts.close()
	var fd int
	err = ownthread.Run(func() error {
		if err := becomeRootOf(layers.work); err != nil {
			return err
		}
		fd, err = overlayOf(layers, mounts, guestSource+g.base)
		return err
	})
	if err != nil {
		return -1, err
	}
	return fd, nil
}

// becomeRootOf gives the thread the ids that the guest's root has on the host,
// as which work appears in the mapped mount. An overlay keeps the ids of its
// maker to create with in work, and there the host's root has no id: without
// this it comes up read-only.
func becomeRootOf(work int) error {
	var st unix.Stat_t
	if err := unix.Fstat(work, &st); err != nil {
		return fmt.Errorf("cannot look at work: %w", err)
	}
	return becomeOwner(st.Uid, st.Gid)
}

// overlayOf makes the overlay of mapped layers. From Linux 6.15 it takes
// detached mounts. Before, they have to be attached somewhere, which is in a
// namespace that nobody sees.
func overlayOf(layers overlayLayers, mounts fdList, source string) (int, error) {
	fd, err := newOverlay(layers, source, unix.MOUNT_ATTR_NODEV, byDescriptor)
	if unknownWay(err) {
		return attachedOverlay(layers, mounts, source, layers.attachedWays()...)
	}
	return fd, err
}

// attachedOverlay is for a thread that may lose its mount namespace.
func attachedOverlay(layers overlayLayers, mounts fdList, source string, ways ...handing) (int, error) {
	if err := newMountNamespace(); err != nil {
		return -1, err
	}
	for _, m := range mounts.mounts {
		// Upon each other at the root, the one place that is always there: they
		// are reached by their descriptors.
		if err := unix.MoveMount(m, "", unix.AT_FDCWD, "/", unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
			return -1, fmt.Errorf("cannot attach a layer: %w", err)
		}
	}
	return newOverlay(layers, source, unix.MOUNT_ATTR_NODEV, ways...)
}

// mapLayers returns the layers in detached mounts with mapped ids: one of the
// guest's directory, because upper and work have to be on the same, and one of
// each image.
func (b overlayBackend) mapLayers(g *guestDir, userns int) (l overlayLayers, fds fdList, err error) {
	own, err := fds.addMount(mappedClone(g.fd, userns, 0, g.path))
	if err != nil {
		return l, fds, err
	}
	below := guestDir{path: g.path, fd: own}
	if l.upper, err = fds.add(below.openDir("upper")); err == nil {
		l.work, err = fds.add(below.openDir("work"))
	}
	for _, path := range b.lower {
		if err == nil {
			var fd int
			fd, err = fds.addMount(mapImage(path, userns))
			l.lower = append(l.lower, fd)
		}
	}
	if err != nil {
		fds.close()
		return l, fdList{}, err
	}
	return l, fds, nil
}

func mapImage(path string, userns int) (int, error) {
	fd, err := openTree(path)
	if err != nil {
		return -1, err
	}
	defer unix.Close(fd)
	return mappedClone(fd, userns, 0, path)
}

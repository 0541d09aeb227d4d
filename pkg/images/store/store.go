package store

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// The backends, as they are written in state.json and given to create -B.
const (
	Dir     = "dir"
	Overlay = "overlay"
	Btrfs   = "btrfs"
)

// Layout says where a guest's root file system is and of which kind.
type Layout struct {
	Backend  string // Dir, Overlay, Btrfs or Shift
	GuestDir string // absolute path of the guest's directory
	// Lower are the images' rootfs directories of an overlay, absolute, the top
	// one first. To unmount and to destroy they aren't needed.
	Lower []string
	// IDBase is the first of the host's ids that Shift gives the files.
	IDBase uint32 `json:",omitempty"`
}

// backend is what differs between the kinds of root file system.
type backend interface {
	// parts names what create makes in the guest's directory.
	parts() []string
	// create fills the guest's directory from an image.
	create(ctx context.Context, g *guestDir, image string) error
	// copyGuest fills the guest's directory with a copy of what from has, below
	// what is mounted there.
	copyGuest(ctx context.Context, g, from *guestDir) error
	// snapshotGuest does the same without copying; errNoSnapshot if that can't be.
	snapshotGuest(ctx context.Context, g, from *guestDir) error
	// openRoot returns a detached mount of the root with the ids of userns.
	openRoot(g *guestDir, userns int) (int, error)
	// mountPlain shows the root at rootfs/ with plain ids.
	mountPlain(g *guestDir) error
	// rootOnDisk looks at the directory whose owner is the root's, with plain ids.
	rootOnDisk(g *guestDir) (*unix.Statx_t, error)
	// kindOf tells what a mount on rootfs/ is.
	kindOf(g *guestDir, m mountEntry) (kind, error)
	// wholeSuperblock is true if a mount of the root is a superblock of its
	// own, which has to be dead before another is made.
	wholeSuperblock() bool
}

// backend returns the layout's.
func (l Layout) backend() (backend, error) {
	switch l.Backend {
	case Dir:
		return dirBackend{}, nil
	case Btrfs:
		return btrfsBackend{}, nil
	case Shift:
		return shiftBackend{base: l.IDBase}, nil
	case Overlay:
		return overlayBackend{lower: l.Lower}, nil
	}
	return nil, fmt.Errorf("unknown storage backend %q", l.Backend)
}

// open returns the backend and the opened guest's directory, which the caller
// closes.
func (l Layout) open() (backend, *guestDir, error) {
	b, err := l.backend()
	if err != nil {
		return nil, nil, err
	}
	g, err := openGuestDir(l.GuestDir)
	if err != nil {
		return nil, nil, err
	}
	return b, g, nil
}

// Create makes the root file system of a guest from image, the path of an
// image's rootfs directory, which stays as it is to the bit. GuestDir is made
// with mode 0700 if it isn't there. Nothing is left of a failed or cancelled
// Create. It writes nothing through to the disk: see Sync.
func Create(ctx context.Context, l Layout, image string) error {
	b, err := l.backend()
	if err != nil {
		return err
	}
	g, fresh, err := makeGuestDir(l.GuestDir)
	if err != nil {
		return err
	}
	defer g.close()
	if err := g.wantAbsent(b.parts()); err != nil {
		return err
	}
	if err := b.create(ctx, g, image); err != nil {
		undo := g.remove(b.parts(), fresh)
		return errors.Join(fmt.Errorf("cannot create the root file system in %s: %w", g.path, err), undo)
	}
	return nil
}

// HostIDs stands for the user namespace of a guest that has none: ids are those on disk.
const HostIDs = -1

// OpenRoot returns a detached mount of the guest's root in which the ids are
// those of the user namespace usernsFD: what is uid 0 on disk is the
// namespace's root; HostIDs: the host's. The caller closes it. Nothing may be mounted on rootfs/
// then. Device nodes in the tree don't work there. A file system that can't
// map ids gives an error that names it and the way out; *BusyError if an
// earlier mount of an overlay root lives on somewhere.
//
// For an overlay a thread changes its file system ids, upon which the kernel
// takes the process for one that isn't to be dumped (PR_SET_DUMPABLE).
func OpenRoot(l Layout, usernsFD int) (mountFD int, err error) {
	b, g, err := l.open()
	if err != nil {
		return -1, err
	}
	defer g.close()
	if err := g.checkPrivate(); err != nil {
		return -1, err
	}
	fd, err := b.openRoot(g, usernsFD)
	if err != nil {
		return -1, fmt.Errorf("cannot open the root file system of %s: %w", g.path, err)
	}
	return fd, nil
}

// MountPlain shows a stopped guest's overlay root at rootfs/ with the ids that
// are on disk; it does nothing if that is so already, and for other backends.
// What a life of the guest that has ended left on rootfs/ is taken off first.
func MountPlain(l Layout) error {
	b, g, err := l.open()
	if err != nil {
		return err
	}
	defer g.close()
	if err := g.checkPrivate(); err != nil {
		return err
	}
	if err := b.mountPlain(g); err != nil {
		return fmt.Errorf("cannot mount %s/rootfs: %w", g.path, err)
	}
	return nil
}

// Unmount takes off rootfs/ what MountPlain or Expose put there; no mount is
// no error. *BusyError if somebody sits in it; the caller's own descriptors of
// the root count. What others' mount namespaces have copied of an overlay is
// detached there if nobody uses it. A mount that isn't sysct's is refused and stays.
func Unmount(l Layout) error {
	b, g, err := l.open()
	if err != nil {
		return err
	}
	defer g.close()
	return g.unmount(b)
}

// Expose shows the running guest's root, a mount that OpenRoot returned, at
// rootfs/ on the host, with the shifted ids, without set-uid and devices. It
// does nothing if that very root is shown already.
//
// Kernels before 6.15 can't clone a detached mount. There mountFD itself is
// attached, and set-uid and devices stay: so expose first, and then give the
// guest a Clone.
func Expose(l Layout, mountFD int) error {
	b, g, err := l.open()
	if err != nil {
		return err
	}
	defer g.close()
	if err := g.checkPrivate(); err != nil {
		return err
	}
	if err := g.expose(b, mountFD); err != nil {
		return fmt.Errorf("cannot show the root at %s/rootfs: %w", g.path, err)
	}
	return nil
}

// Clone returns a further detached mount of a root that OpenRoot returned and,
// for kernels before 6.15, Expose has shown. The caller closes it.
func Clone(mountFD int) (int, error) { return cloneMount(mountFD) }

// Destroy takes off what is mounted on rootfs/ and deletes GuestDir with all
// that is in it, never through a link and never across a mount. The guest must
// not run. It refuses before it deletes anything if rootfs isn't what sysct
// made: a link, or a mount of something else. A GuestDir that isn't there is
// no error, so that a broken-off Destroy can be repeated. *BusyError as for
// Unmount, but never because of others' mount namespaces.
func Destroy(l Layout) error {
	b, err := l.backend()
	if err != nil {
		return err
	}
	g, err := openGuestDir(l.GuestDir)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return err
	}
	defer g.close()
	if err := g.refuseMountPoint(); err != nil {
		return err
	}
	// A copy in another's mount namespace may keep its superblock: no other will
	// be made of the layers that are deleted now.
	if err := g.unmount(b); err != nil && !heldByNamespacesOnly(err) {
		return err
	}
	return g.remove(nil, true)
}

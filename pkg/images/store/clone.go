package store

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Copy makes the root file system of a guest as a copy of another's, which is of the
// same backend and, for overlay, on the same layers: data, holes, links, owners,
// modes, times, extended attributes, devices. What the other has is read below what
// is mounted there and not changed, not even in its access times; it must hold still.
// Inode flags (chattr) are not copied: no guest can set them. Nothing is left of a
// failed or cancelled Copy. It writes nothing through to the disk: see SyncAll.
func Copy(ctx context.Context, l, from Layout) error {
	return fill(ctx, l, from, backend.copyGuest)
}

// fill makes a guest's root file system out of another's.
func fill(ctx context.Context, l, from Layout, how func(backend, context.Context, *guestDir, *guestDir) error) error {
	b, err := l.backend()
	if err != nil {
		return err
	}
	if l.Backend != from.Backend {
		return fmt.Errorf("cannot make a guest of backend %s from one of %s", l.Backend, from.Backend)
	}
	source, err := openGuestDir(from.GuestDir)
	if err != nil {
		return err
	}
	defer source.close()
	g, fresh, err := makeGuestDir(l.GuestDir)
	if err != nil {
		return err
	}
	defer g.close()
	if err := g.wantAbsent(b.parts()); err != nil {
		return err
	}
	if err := how(b, ctx, g, source); err != nil {
		undo := g.remove(b.parts(), fresh)
		return errors.Join(fmt.Errorf("cannot copy the root file system of %s: %w", source.path, err), undo)
	}
	return nil
}

// openPart opens a part of the guest's directory, below what is mounted on it, for
// reading it without a trace.
func (g *guestDir) openPart(name string) (int, error) {
	below, err := g.below()
	if err != nil {
		return -1, err
	}
	defer unix.Close(below)
	if err := makeQuiet(below); err != nil {
		return -1, err
	}
	fd, err := openBeneath(below, name, unix.O_RDONLY|unix.O_DIRECTORY, 0, unix.RESOLVE_NO_XDEV)
	if err != nil {
		return -1, fmt.Errorf("cannot open %s/%s: %w", g.path, name, err)
	}
	return fd, nil
}

// copyPart copies a directory of another guest's into one of the same name.
func (g *guestDir) copyPart(ctx context.Context, from *guestDir, name string) error {
	source, err := from.openPart(name)
	if err != nil {
		return err
	}
	defer unix.Close(source)
	target, err := g.openDir(name)
	if err != nil {
		return err
	}
	defer unix.Close(target)
	return copyTree(ctx, source, target)
}

func (dirBackend) copyGuest(ctx context.Context, g, from *guestDir) error {
	if err := unix.Mkdirat(g.fd, rootfsName, 0o700); err != nil {
		return fmt.Errorf("cannot make rootfs: %w", err)
	}
	return g.copyPart(ctx, from, rootfsName)
}

// copyGuest copies on btrfs too, by sharing blocks: a snapshot has nothing of the
// subvolumes that the other system may have made in its tree.
func (btrfsBackend) copyGuest(ctx context.Context, g, from *guestDir) error {
	if err := createSubvolume(g.fd, rootfsName); err != nil {
		return err
	}
	return g.copyPart(ctx, from, rootfsName)
}

func (b overlayBackend) copyGuest(ctx context.Context, g, from *guestDir) error {
	if err := g.makeParts(b.parts()); err != nil {
		return err
	}
	if err := g.copyPart(ctx, from, "upper"); err != nil {
		return err
	}
	return g.forgetOverlay()
}

// forgetOverlay removes what the kernel notes in an upper of the one overlay that it
// is of: two with one id would be taken for the same.
func (g *guestDir) forgetOverlay() error {
	upper, err := openBeneath(g.fd, "upper", unix.O_RDONLY|unix.O_DIRECTORY, 0, unix.RESOLVE_NO_XDEV)
	if err != nil {
		return fmt.Errorf("cannot open %s/upper: %w", g.path, err)
	}
	defer unix.Close(upper)
	err = unix.Fremovexattr(upper, "trusted.overlay.uuid")
	if err != nil && !errors.Is(err, unix.ENODATA) && !errors.Is(err, unix.EOPNOTSUPP) {
		return fmt.Errorf("cannot remove the id of an overlay: %w", err)
	}
	return nil
}

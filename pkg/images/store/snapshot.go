package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// errNoSnapshot means that a backend can't share what a guest has with another one
// without copying it.
var errNoSnapshot = errors.New("this backend has no snapshots")

// Snapshot is Copy in no time: the two share their blocks until one changes them. It
// works on btrfs, where the other guest may run, if it is frozen. For overlay see Split.
func Snapshot(ctx context.Context, l, from Layout) error {
	return fill(ctx, l, from, backend.snapshotGuest)
}

func (dirBackend) snapshotGuest(context.Context, *guestDir, *guestDir) error { return errNoSnapshot }

func (overlayBackend) snapshotGuest(context.Context, *guestDir, *guestDir) error {
	return errNoSnapshot
}

func (btrfsBackend) snapshotGuest(ctx context.Context, g, from *guestDir) error {
	source, err := from.openPart(rootfsName)
	if err != nil {
		return err
	}
	defer unix.Close(source)
	return snapshotDeep(ctx, source, g.fd, rootfsName)
}

// From linux/btrfs.h.
const (
	btrfsInoLookup        = 0xd0009412 // _IOWR(0x94, 18, struct btrfs_ioctl_ino_lookup_args)
	btrfsGetSubvolRootref = 0xd000943d // _IOWR(0x94, 61, struct btrfs_ioctl_get_subvol_rootref_args)
)

// rootrefArgs is struct btrfs_ioctl_get_subvol_rootref_args.
type rootrefArgs struct {
	minTree uint64
	ref     [255]struct{ tree, dir uint64 }
	items   uint8
	_       [7]uint8
}

// lookupArgs is struct btrfs_ioctl_ino_lookup_args.
type lookupArgs struct {
	tree, object uint64
	name         [4080]byte
}

// snapshotDeep takes a snapshot with those of the subvolumes in it, of which a
// snapshot alone has empty directories: systems make some by themselves.
func snapshotDeep(ctx context.Context, source, dir int, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := snapshot(source, dir, name); err != nil {
		return err
	}
	holders, err := holdersOfSubvolumes(source)
	if err != nil || len(holders) == 0 {
		return err
	}
	target, err := openBeneath(dir, name, unix.O_RDONLY|unix.O_DIRECTORY, 0, unix.RESOLVE_NO_XDEV)
	if err != nil {
		return err
	}
	defer unix.Close(target)
	for _, holder := range holders {
		if err := snapshotIn(ctx, source, target, holder); err != nil {
			return fmt.Errorf("in %q: %w", holder, err)
		}
	}
	return nil
}

// snapshotIn does what is missing in one directory of a new snapshot.
func snapshotIn(ctx context.Context, source, target int, dir string) error {
	from, err := openBeneath(source, dir, unix.O_RDONLY|unix.O_DIRECTORY, 0, unix.RESOLVE_NO_XDEV)
	if err != nil {
		return err
	}
	defer unix.Close(from)
	to, err := openBeneath(target, dir, unix.O_RDONLY|unix.O_DIRECTORY, 0, unix.RESOLVE_NO_XDEV)
	if err != nil {
		return err
	}
	defer unix.Close(to)
	return eachEntry(from, make([]byte, 32<<10), func(e entry) error {
		if !e.isDir && !e.unknown {
			return nil
		}
		child, err := openBeneath(from, e.name, unix.O_RDONLY|unix.O_DIRECTORY, 0, unix.RESOLVE_NO_XDEV)
		if err != nil {
			return err
		}
		defer unix.Close(child)
		if !isSubvolume(child) {
			return nil
		}
		if err := unix.Unlinkat(to, e.name, unix.AT_REMOVEDIR); err != nil {
			return err
		}
		return snapshotDeep(ctx, child, to, e.name)
	})
}

// holdersOfSubvolumes names the directories of a subvolume that have others in them.
func holdersOfSubvolumes(subvolume int) ([]string, error) {
	var refs rootrefArgs
	if err := ioctlPointer(subvolume, btrfsGetSubvolRootref, unsafe.Pointer(&refs)); err != nil {
		return nil, fmt.Errorf("cannot list the subvolumes in it (%d at most): %w", len(refs.ref), err)
	}
	seen := map[uint64]bool{}
	var names []string
	for _, ref := range refs.ref[:refs.items] {
		if seen[ref.dir] {
			continue
		}
		seen[ref.dir] = true
		lookup := lookupArgs{object: ref.dir}
		if err := ioctlPointer(subvolume, btrfsInoLookup, unsafe.Pointer(&lookup)); err != nil {
			return nil, fmt.Errorf("cannot find a subvolume in it: %w", err)
		}
		path, _, _ := strings.Cut(string(lookup.name[:]), "\x00")
		names = append(names, strings.TrimSuffix("./"+path, "/"))
	}
	return names, nil
}

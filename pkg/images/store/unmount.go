package store

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// maxStack bounds how many mounts on rootfs/ are taken off: more than one
	// is the trace of a crash already.
	maxStack = 64
	// A process that is just ending, or one that looks at all files of the
	// host, keeps a mount busy for moments.
	busyTries = 5
	busyPause = 20 * time.Millisecond
)

// unmount takes off rootfs/ whatever sysct put there. An overlay's superblock
// is dead afterwards, or the error is a *BusyError.
func (g *guestDir) unmount(b backend) error {
	leaving := map[string]departure{}
	defer func() {
		for _, d := range leaving {
			d.watch.close()
		}
	}()
	for range maxStack {
		o, err := g.look(b)
		if err != nil {
			return err
		}
		if o.kind == vacant {
			return g.awaitDeparted(b, leaving)
		}
		if o.kind == foreign {
			return fmt.Errorf("refusing to unmount %s/rootfs: the %s of %q there isn't sysct's; unmount it first",
				g.path, o.mount.fsType, o.mount.source)
		}
		if b.wholeSuperblock() && leaving[o.mount.dev].watch == nil {
			leaving[o.mount.dev] = departure{o.mount, watchDeath(fdPath(g.fd) + "/" + rootfsName)}
		}
		if err := g.detach(o.mount); err != nil {
			return err
		}
	}
	return fmt.Errorf("cannot unmount %s/rootfs: more than %d mounts are on it", g.path, maxStack)
}

// detach unmounts the topmost mount of rootfs/. Never lazily: MNT_DETACH would
// leave the superblock alive without a trace.
func (g *guestDir) detach(m mountEntry) error {
	for try := 1; ; try++ {
		err := unix.Unmount(fdPath(g.fd)+"/"+rootfsName, unix.UMOUNT_NOFOLLOW)
		if err == nil {
			return nil
		}
		if !errors.Is(err, unix.EBUSY) {
			return fmt.Errorf("cannot unmount %s/rootfs: %w", g.path, explainPermission(err))
		}
		holders := holdersOfMount(m)
		if len(holders) > 0 || try == busyTries {
			return &BusyError{Path: g.path + "/" + rootfsName, Holders: holders}
		}
		time.Sleep(busyPause)
	}
}

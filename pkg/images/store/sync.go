package store

import (
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sys/unix"
)

// Sync writes through to the disk what Create has made, what has been written into the
// guest's own layer since, and the files beside it. For Dir and Btrfs that is the whole
// file system, which takes as long as everything takes that others have written there.
// For Overlay it is the few files that a new guest has: the image below was synced when
// it was built.
func Sync(l Layout) error {
	b, g, err := l.open()
	if err != nil {
		return err
	}
	defer g.close()
	if b.wholeSuperblock() {
		err = g.syncNew(b.parts())
	} else {
		err = unix.Syncfs(g.fd)
	}
	if err != nil {
		return fmt.Errorf("cannot sync %s: %w", g.path, err)
	}
	return nil
}

// syncNew syncs what is in the named directories, they themselves, and the guest's with
// its files. All at once: the file system then writes its journal once for all.
func (g *guestDir) syncNew(names []string) error {
	below, err := g.below() // an overlay is shown at rootfs/
	if err != nil {
		return err
	}
	defer unix.Close(below)
	s := &syncer{}
	err = s.files(below, ".")
	for _, name := range names {
		if err == nil {
			err = s.tree(below, name)
		}
	}
	s.pending.Wait()
	return errors.Join(err, s.first)
}

// syncer syncs files in the background.
type syncer struct {
	pending sync.WaitGroup
	mu      sync.Mutex
	first   error
}

// tree syncs a directory with all that is in it.
func (s *syncer) tree(dir int, name string) error {
	fd, err := openBeneath(dir, name, unix.O_RDONLY|unix.O_DIRECTORY, 0, unix.RESOLVE_NO_XDEV)
	if err != nil {
		return fmt.Errorf("%q: %w", name, err)
	}
	defer unix.Close(fd)
	err = eachEntry(fd, make([]byte, 4096), func(e entry) error {
		if e.isDir {
			return s.tree(fd, e.name)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return s.files(fd, ".")
}

// files syncs a directory and the regular files in it.
func (s *syncer) files(dir int, name string) error {
	fd, err := openBeneath(dir, name, unix.O_RDONLY|unix.O_DIRECTORY, 0, unix.RESOLVE_NO_XDEV)
	if err != nil {
		return fmt.Errorf("%q: %w", name, err)
	}
	err = eachEntry(fd, make([]byte, 4096), func(e entry) error {
		var st unix.Stat_t
		if err := unix.Fstatat(fd, e.name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
			return err
		}
		file, err := openBeneath(fd, e.name, unix.O_RDONLY|unix.O_NONBLOCK, 0, unix.RESOLVE_NO_XDEV)
		if err == nil {
			s.later(file)
		}
		return err
	})
	s.later(fd)
	return err
}

// later syncs and closes a file.
func (s *syncer) later(fd int) {
	s.pending.Go(func() {
		err := unix.Fsync(fd)
		unix.Close(fd)
		if err != nil && !errors.Is(err, unix.EINVAL) { // EINVAL: a file system that has nothing to sync
			s.mu.Lock()
			s.first = errors.Join(s.first, err)
			s.mu.Unlock()
		}
	})
}

// SyncAll writes through to the disk what Copy has made: the whole file system, with
// what others have written there.
func SyncAll(l Layout) error {
	g, err := openGuestDir(l.GuestDir)
	if err != nil {
		return err
	}
	defer g.close()
	if err := unix.Syncfs(g.fd); err != nil {
		return fmt.Errorf("cannot sync %s: %w", g.path, err)
	}
	return nil
}

// syncDirs syncs the named directories, and then the one that they are in.
func (g *guestDir) syncDirs(names []string) error {
	below, err := g.below() // an overlay is shown at rootfs/
	if err != nil {
		return err
	}
	defer unix.Close(below)
	for _, name := range append(names, ".") {
		fd, err := openBeneath(below, name, unix.O_RDONLY|unix.O_DIRECTORY, 0, unix.RESOLVE_NO_XDEV)
		if err == nil {
			err = unix.Fsync(fd)
			unix.Close(fd)
		}
		if err != nil && !errors.Is(err, unix.EINVAL) { // EINVAL: a file system that has nothing to sync
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

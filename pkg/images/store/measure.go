package store

import (
	"context"
	"errors"
	"fmt"
	"path"
	"runtime"
	"sync"

	"golang.org/x/sys/unix"
)

// Measure is how much a guest has on disk.
type Measure struct {
	Bytes   int64 // of blocks: a hole has none, a file with several names counts once
	Files   int64 // of any kind, directories too
	Partial bool  // some of it couldn't be looked at, as paths that are too long
	// Of the file system that it is on, in bytes: its size, and what is free for others
	// than root.
	Size, Available int64
}

// measurers bounds how many directories are read at a time: more than some keep a disk no
// busier, and the host has other work.
const measurers = 4

// MeasureGuest walks through what is the guest's own: upper/ of an overlay and what it keeps
// beside it (see [OpenNested]), elsewhere rootfs/. It costs a system call for each file. Blocks
// that other guests share (reflinks, snapshots of btrfs) count as if they were this one's. It
// follows no link and crosses no mount, and what the guest removes meanwhile is passed over.
func MeasureGuest(ctx context.Context, l Layout) (Measure, error) {
	g, err := openGuestDir(l.GuestDir)
	if err != nil {
		return Measure{}, err
	}
	defer g.close()
	if l.Backend != Overlay {
		return g.measure(ctx, rootfsName)
	}
	sum, err := g.measure(ctx, "upper")
	if err != nil {
		return Measure{}, err
	}
	nested, err := g.measure(ctx, nestedName)
	switch {
	case errors.Is(err, unix.ENOENT):
		return sum, nil
	case err != nil:
		return Measure{}, err
	}
	sum.Bytes, sum.Files, sum.Partial = sum.Bytes+nested.Bytes, sum.Files+nested.Files, sum.Partial || nested.Partial
	return sum, nil
}

// measure walks through one tree of the guest.
func (g *guestDir) measure(ctx context.Context, name string) (Measure, error) {
	// A running guest's root is mounted on rootfs/: it is the same tree.
	top, err := openBeneath(g.fd, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOATIME, 0, 0)
	if err != nil {
		return Measure{}, fmt.Errorf("cannot open %s/%s: %w", g.path, name, err)
	}
	defer unix.Close(top)
	var fs unix.Statfs_t
	if err := retry(func() error { return unix.Fstatfs(top, &fs) }); err != nil {
		return Measure{}, fmt.Errorf("cannot look at the file system of %s: %w", g.path, err)
	}
	m := &measuring{top: top, waiting: []string{"."}, seen: map[inode]bool{}}
	if err := m.run(ctx); err != nil {
		return Measure{}, fmt.Errorf("cannot measure %s/%s: %w", g.path, name, err)
	}
	m.sum.Size, m.sum.Available = int64(fs.Blocks)*fs.Bsize, int64(fs.Bavail)*fs.Bsize
	return m.sum, nil
}

// measuring is one walk. A task is a directory, named by its path below the top: so
// nothing stays open for tasks that wait, however wide the tree is.
type measuring struct {
	top     int
	mu      sync.Mutex
	waiting []string
	active  int
	changed sync.Cond
	seen    map[inode]bool // files with several names
	sum     Measure
	err     error
}

func (m *measuring) run(ctx context.Context) error {
	m.changed.L = &m.mu
	m.count(m.top, "", unix.AT_EMPTY_PATH)
	stop := context.AfterFunc(ctx, func() { m.fail(context.Cause(ctx)) })
	defer stop()
	var workers sync.WaitGroup
	for range min(measurers, runtime.GOMAXPROCS(0)) {
		workers.Go(func() {
			buf := make([]byte, 32<<10)
			for dir, ok := m.next(); ok; dir, ok = m.next() {
				if err := m.measure(dir, buf); err != nil {
					m.fail(err)
				}
				m.finished()
			}
		})
	}
	workers.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return m.err
}

func (m *measuring) next() (string, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for len(m.waiting) == 0 && m.active > 0 && m.err == nil {
		m.changed.Wait()
	}
	if len(m.waiting) == 0 || m.err != nil {
		return "", false
	}
	last := len(m.waiting) - 1
	dir := m.waiting[last]
	m.waiting = m.waiting[:last]
	m.active++
	return dir, true
}

func (m *measuring) finished() {
	m.mu.Lock()
	m.active--
	m.mu.Unlock()
	m.changed.Broadcast()
}

func (m *measuring) fail(err error) {
	m.mu.Lock()
	if m.err == nil {
		m.err = err
	}
	m.mu.Unlock()
	m.changed.Broadcast()
}

// measure counts what is in one directory, and leaves those below it to be taken next.
func (m *measuring) measure(dir string, buf []byte) error {
	fd, err := openBeneath(m.top, dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOATIME, 0, unix.RESOLVE_NO_XDEV)
	switch {
	case errors.Is(err, unix.ENAMETOOLONG):
		m.mu.Lock()
		m.sum.Partial = true
		m.mu.Unlock()
		return nil
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.ELOOP), errors.Is(err, unix.EXDEV):
		return nil // gone, another thing by now, or a mount
	case err != nil:
		return err
	}
	defer unix.Close(fd)
	return eachEntry(fd, buf, func(e entry) error {
		if m.count(fd, e.name, unix.AT_SYMLINK_NOFOLLOW) {
			m.mu.Lock()
			m.waiting = append(m.waiting, path.Join(dir, e.name))
			m.mu.Unlock()
			m.changed.Signal()
		}
		return nil
	})
}

// count adds one file, and says whether it is a directory.
func (m *measuring) count(dir int, name string, flags int) (isDir bool) {
	var st unix.Statx_t
	mask := unix.STATX_TYPE | unix.STATX_NLINK | unix.STATX_INO | unix.STATX_BLOCKS
	if unix.Statx(dir, name, flags|unix.AT_NO_AUTOMOUNT, mask, &st) != nil {
		return false // it has gone
	}
	isDir = st.Mode&unix.S_IFMT == unix.S_IFDIR
	m.mu.Lock()
	defer m.mu.Unlock()
	if !isDir && st.Nlink > 1 {
		id := inode{dev: uint64(st.Dev_major)<<32 | uint64(st.Dev_minor), ino: st.Ino}
		if m.seen[id] {
			return false
		}
		m.seen[id] = true
	}
	m.sum.Files++
	m.sum.Bytes += int64(st.Blocks) * 512
	return isDir
}

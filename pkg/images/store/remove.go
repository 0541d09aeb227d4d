package store

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// maxDepth is how far the deletion goes down before it moves what is deeper up
// to the top: a guest can nest directories deeper than there are descriptors.
const maxDepth = 100

// remover deletes what is in one directory tree, on one file system (and on
// btrfs: in one subvolume, as nothing can be renamed out of it).
type remover struct {
	top   int // O_RDONLY
	moved int // how many directories were moved up
	btrfs bool
	buf   [][]byte // by depth, for directory records
}

// remove deletes the named parts of the guest's directory, or all that is in
// it if parts is nil, and with self the directory too.
func (g *guestDir) remove(parts []string, self bool) error {
	r := &remover{top: g.fd, btrfs: onBtrfs(g.fd)}
	var err error
	if parts == nil {
		err = r.empty()
	}
	for _, name := range parts {
		if e := r.remove(g.fd, entry{name: name, unknown: true}, 0); err == nil && !errors.Is(e, unix.ENOENT) {
			err = e
		}
	}
	if err == nil && parts != nil {
		err = r.removeMoved()
	}
	if err == nil && self {
		err = unix.Unlinkat(g.parent, g.base, unix.AT_REMOVEDIR)
	}
	if err != nil {
		return fmt.Errorf("cannot delete %s: %w", g.path, err)
	}
	return nil
}

// empty deletes all that is in the top directory.
func (r *remover) empty() error {
	for {
		found := false
		err := eachEntry(r.top, r.records(0), func(e entry) error {
			found = true
			return r.remove(r.top, e, 0)
		})
		if err != nil || !found {
			return err
		}
	}
}

// removeMoved deletes what was moved up, and what was moved up meanwhile.
func (r *remover) removeMoved() error {
	for i := 0; i < r.moved; i++ {
		err := r.remove(r.top, entry{name: movedName(i), isDir: true}, 0)
		if err != nil && !errors.Is(err, unix.ENOENT) {
			return err
		}
	}
	return nil
}

// remove deletes an entry of the directory dir.
func (r *remover) remove(dir int, e entry, depth int) error {
	if !e.isDir {
		err := r.unlink(dir, e.name, 0)
		if !errors.Is(err, unix.EISDIR) {
			return removeError(e.name, err)
		}
	}
	return r.removeDir(dir, e.name, depth)
}

func (r *remover) removeDir(dir int, name string, depth int) error {
	if depth >= maxDepth {
		return removeError(name, r.moveUp(dir, name))
	}
	fd, err := openBeneath(dir, name, unix.O_RDONLY|unix.O_DIRECTORY, 0, unix.RESOLVE_NO_XDEV)
	if errors.Is(err, unix.EXDEV) {
		return fmt.Errorf("something is mounted on %q", name)
	}
	if err != nil {
		return removeError(name, err)
	}
	defer unix.Close(fd)
	if r.btrfs && isSubvolume(fd) {
		return removeError(name, removeSubvolume(dir, name, fd))
	}
	// Once is enough, unless the file system skips entries when others go.
	for range 3 {
		err := eachEntry(fd, r.records(depth+1), func(e entry) error { return r.remove(fd, e, depth+1) })
		if err != nil {
			return err
		}
		if err = r.unlink(dir, name, unix.AT_REMOVEDIR); !errors.Is(err, unix.ENOTEMPTY) {
			return removeError(name, err)
		}
	}
	return removeError(name, unix.ENOTEMPTY)
}

// unlink takes the immutable and append-only flags off if they are in the way.
func (r *remover) unlink(dir int, name string, flags int) error {
	err := unix.Unlinkat(dir, name, flags)
	if errors.Is(err, unix.EPERM) && unlock(dir, name) {
		err = unix.Unlinkat(dir, name, flags)
	}
	if errors.Is(err, unix.EBUSY) {
		return errors.New("something is mounted on it")
	}
	return err
}

// moveUp renames a directory to the top, where empty or removeMoved finds it.
func (r *remover) moveUp(dir int, name string) error {
	to := movedName(r.moved)
	err := unix.Renameat2(dir, name, r.top, to, unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EPERM) && unlock(dir, name) {
		err = unix.Renameat2(dir, name, r.top, to, unix.RENAME_NOREPLACE)
	}
	r.moved++
	if errors.Is(err, unix.EEXIST) { // of a deletion that was broken off
		return r.moveUp(dir, name)
	}
	return err
}

func movedName(i int) string { return fmt.Sprintf(".sysct-deep-%d", i) }

// records returns the buffer of a depth, which each directory on the way
// needs for itself.
func (r *remover) records(depth int) []byte {
	for len(r.buf) <= depth {
		r.buf = append(r.buf, make([]byte, 8<<10))
	}
	return r.buf[depth]
}

// removeError adds the name, quoted: a guest can put any bytes in one.
func removeError(name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%q: %w", name, err)
}

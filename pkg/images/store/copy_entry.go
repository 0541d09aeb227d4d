package store

import (
	"errors"
	"fmt"
	"path"

	"golang.org/x/sys/unix"
)

// copyWorker is one goroutine's part of a copier: its buffers.
type copyWorker struct {
	*copier
	attrCopier
	names []byte // directory records
	data  []byte
}

func newCopyWorker(c *copier) *copyWorker {
	return &copyWorker{
		copier: c, attrCopier: newAttrCopier(),
		names: make([]byte, 32<<10), data: make([]byte, 256<<10),
	}
}

// place is a directory that is being copied, open on both sides.
type place struct {
	source, target int
	dir            string
}

func (w *copyWorker) copyEntry(at place, name string) error {
	var st unix.Stat_t
	if err := unix.Fstatat(at.source, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		if err := unix.Mkdirat(at.target, name, 0o700); err != nil {
			return err
		}
		w.add(path.Join(at.dir, name))
		return nil
	}
	if st.Nlink < 2 {
		return w.copyInode(at, name, &st)
	}
	first, mine := w.links.claim(&st, at.dir, name)
	if !mine {
		return w.link(first, at.target, name)
	}
	// Closed in any case: whoever waits for a failed one sees the context end.
	err := w.copyInode(at, name, &st)
	first.finish(err)
	return err
}

// copyInode makes what isn't a directory.
func (w *copyWorker) copyInode(at place, name string, st *unix.Stat_t) error {
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		return w.copyFile(at, name)
	case unix.S_IFLNK:
		target, err := readLink(at.source, name)
		if err != nil {
			return err
		}
		if err := unix.Symlinkat(target, at.target, name); err != nil {
			return err
		}
	default:
		if err := unix.Mknodat(at.target, name, st.Mode&(unix.S_IFMT|0o700), int(st.Rdev)); err != nil {
			return explainPermission(err)
		}
	}
	return w.copyNamedAttributes(at, name, st)
}

func (w *copyWorker) copyFile(at place, name string) error {
	source, err := openBeneath(at.source, name, unix.O_RDONLY|unix.O_NONBLOCK, 0, unix.RESOLVE_NO_XDEV)
	if err != nil {
		return err
	}
	defer unix.Close(source)
	flags := unix.O_WRONLY | unix.O_CREAT | unix.O_EXCL
	target, err := openBeneath(at.target, name, flags, 0o600, unix.RESOLVE_NO_XDEV)
	if err != nil {
		return err
	}
	defer unix.Close(target)
	var st unix.Stat_t
	if err := unix.Fstat(source, &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return errors.New("the tree changes while it is copied")
	}
	if err := w.copyData(source, target, &st); err != nil {
		return fmt.Errorf("cannot copy the data: %w", err)
	}
	return w.copyOpenAttributesOf(source, target, &st)
}

func readLink(dir int, name string) (string, error) {
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(dir, name, buf)
	if err != nil {
		return "", err
	}
	return string(buf[:n]), nil
}

package mounts

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// Applier puts a plan's mounts below a guest's root.
type Applier struct {
	Root int                            // the guest's root directory, attached
	FD   func(name string) (int, error) // a detached mount that was handed in, by name
	// Place, if set, puts an op's mount at its target, which is open; else it goes on top.
	Place func(op Op, mount, target int) error
	mask  int // a detached empty directory, made when first needed
	have  bool
}

// Close releases what Apply made for itself.
func (a *Applier) Close() {
	if a.have {
		unix.Close(a.mask)
		a.have = false
	}
}

// Apply does one op. A missing target is made, with the directories that it is in, and is
// skipped if the op says that it may be absent.
func (a *Applier) Apply(op Op) error {
	target, err := a.open(op)
	if err != nil {
		if op.Soft && (errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENOTDIR)) {
			return nil
		}
		if op.Absent && errors.Is(err, unix.ENOENT) {
			return nil
		}
		return err
	}
	defer unix.Close(target)
	if op.Kind == KindTouch {
		return failed("openat2", op.Target, touch(a.Root, op.Target))
	}
	mount, err := a.source(op, target)
	if err != nil {
		if op.Absent && op.Source != "" && errors.Is(err, unix.ENOENT) {
			return nil
		}
		return err
	}
	defer unix.Close(mount)
	if a.Place != nil {
		err = a.Place(op, mount, target)
	} else {
		err = failed("move_mount", op.Target, Attach(mount, target))
	}
	if err != nil {
		return err
	}
	if op.Target == ViewRoot {
		list(mount) // in one go, instead of a question for each of its files
	}
	return nil
}

func (a *Applier) open(op Op) (int, error) {
	fd, err := openTarget(a.Root, op.Target, 0)
	if err == nil || !errors.Is(err, unix.ENOENT) || op.Absent {
		return fd, failed("openat2", op.Target, err)
	}
	return a.make(op.Target)
}

// make makes a directory and those that it is in, where they are missing.
func (a *Applier) make(path string) (int, error) {
	dir, err := openTarget(a.Root, ".", unix.O_DIRECTORY)
	for name := range strings.SplitSeq(path, "/") {
		if err != nil {
			break
		}
		err = unix.Mkdirat(dir, name, 0o755)
		if errors.Is(err, unix.EEXIST) {
			err = nil
		}
		below := -1
		if err == nil {
			below, err = openTarget(dir, name, unix.O_DIRECTORY)
		}
		unix.Close(dir)
		dir = below
	}
	return dir, failed("mkdirat", path, err)
}

// source gives the detached mount of an op.
func (a *Applier) source(op Op, target int) (int, error) {
	switch op.Kind {
	case KindFS:
		fd, err := New(op.FS, op.FS, op.Options, op.Attr)
		return fd, failed("mount", op.Target, err)
	case KindFD:
		return a.handedIn(op)
	case KindReadonly:
		return cloned(target, op.Target, AttrReadonly|attrClosed)
	case KindMaskFile:
		return a.bind("dev/null", op.Target, AttrReadonly|AttrNosuid|AttrNoexec)
	case KindMaskDir:
		return a.empty(op)
	case KindBind:
		return a.bind(op.Source, op.Target, AttrReadonly|attrClosed)
	case KindTTY:
		return a.bind(op.Source, op.Target, AttrNosuid|AttrNoexec)
	case KindWritable:
		return a.bind(op.Source, op.Target, attrClosed)
	}
	return -1, fmt.Errorf("cannot mount /%s: unknown kind %q", op.Target, op.Kind)
}

func (a *Applier) handedIn(op Op) (int, error) {
	fd, err := a.FD(op.FD)
	if err != nil {
		return -1, failed("mount", op.Target, err)
	}
	if op.Attr != 0 {
		if err := SetAttr(fd, op.Attr); err != nil {
			unix.Close(fd)
			return -1, failed("mount_setattr", op.Target, err)
		}
	}
	return fd, nil
}

func (a *Applier) bind(source, target string, attr int) (int, error) {
	fd, err := openTarget(a.Root, source, 0)
	if err != nil {
		return -1, failed("openat2", source, err)
	}
	defer unix.Close(fd)
	return cloned(fd, target, attr)
}

func (a *Applier) empty(op Op) (int, error) {
	if !a.have {
		fd, err := New("tmpfs", "none", []Option{{"mode", "0555"}, {"size", "4k"}}, AttrReadonly|attrClosed)
		if err != nil {
			return -1, failed("mount", op.Target, err)
		}
		// A clone needs an attached mount before Linux 6.15: the first mask is
		// attached itself and the later ones are its clones.
		a.mask, a.have = fd, true
		return unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
	}
	return cloned(a.mask, op.Target, 0)
}

func cloned(fd int, path string, attr int) (int, error) {
	mount, err := Clone(fd)
	if err != nil {
		return -1, failed("open_tree", path, err)
	}
	if attr == 0 {
		return mount, nil
	}
	if err := SetAttr(mount, attr); err != nil {
		unix.Close(mount)
		return -1, failed("mount_setattr", path, err)
	}
	return mount, nil
}

package safefs

import (
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

var errNoName = errors.New("the last component is not a name")

// parent opens the directory of name, following symlinks inside the root, and
// returns it (the caller closes it) with the last component.
func (r *Root) parent(name string) (dir int, base string, err error) {
	dirName, base := path.Split(strings.TrimRight(relative(name), "/"))
	if base == "" || base == "." || base == ".." {
		return -1, "", errNoName
	}
	if dirName == "" {
		dirName = "."
	}
	dir, err = openat2(r.fd, dirName, unix.O_PATH|unix.O_DIRECTORY, 0, follow)
	return dir, base, err
}

// MkdirAll makes the directory name and the missing ones before it, each with
// exactly the permission bits of mode. What exists is kept as it is. Symlinks to
// existing directories are followed inside the root; a symlink to nothing is an
// error, as is a ".." in name.
func (r *Root) MkdirAll(name string, mode uint32) error {
	if slices.Contains(strings.Split(name, "/"), "..") {
		return fmt.Errorf("cannot make directory %q in the guest's tree: it contains \"..\"", name)
	}
	dir, missing, err := r.deepest(path.Clean(relative(name)))
	for _, base := range missing {
		if err != nil {
			break
		}
		parent := dir
		dir, err = enter(parent, base, mode)
		unix.Close(parent)
	}
	if err != nil {
		return fmt.Errorf("cannot make directory %q in the guest's tree: %w", name, err)
	}
	return unix.Close(dir)
}

// deepest opens the longest part of name that exists, and returns it with the
// components after it.
func (r *Root) deepest(name string) (dir int, missing []string, err error) {
	for {
		dir, err = openat2(r.fd, name, unix.O_PATH|unix.O_DIRECTORY, 0, follow)
		if !errors.Is(err, unix.ENOENT) || name == "." {
			return dir, missing, err
		}
		missing = slices.Insert(missing, 0, path.Base(name))
		name = path.Dir(name)
	}
}

// enter makes the directory base in dir, or finds that somebody else just did, and
// opens it. A link there is not followed: when the way was looked up it led to
// nothing.
func enter(dir int, base string, mode uint32) (int, error) {
	made := unix.Mkdirat(dir, base, mode)
	if made != nil && !errors.Is(made, unix.EEXIST) {
		return -1, made
	}
	fd, err := openat2(dir, base, unix.O_RDONLY|unix.O_DIRECTORY, 0, strict)
	if err == nil && made == nil {
		if err = unix.Fchmod(fd, mode); err != nil {
			unix.Close(fd)
		}
	}
	return fd, err
}

// ReadDir returns up to max names in the directory name, in no order, following
// symlinks inside the root. The names are the guest's: they can have any bytes but
// slash and zero.
func (r *Root) ReadDir(name string, max int) ([]string, error) {
	dir, err := r.Open(name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(max)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("cannot list %q in the guest's tree: %w", name, err)
	}
	return names, nil
}

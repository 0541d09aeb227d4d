package cgroupfs

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"golang.org/x/sys/unix"
)

// claim makes base/name in one hierarchy and opens both. Groups without processes
// that are there already are an earlier life's, and removed first. Others remove
// base when it looks empty to them, so making it and using it is tried again.
func claim(root *dir, base, name string) (parent, group *dir, err error) {
	for range 1000 {
		parent, group, err = claimOnce(root, base, name)
		switch {
		case err == nil:
			return parent, group, nil
		case errors.Is(err, errStale):
			err = removeTree(root, base, name, time.Now().Add(patience))
			if err != nil {
				return nil, nil, err
			}
		case !gone(err):
			return nil, nil, err
		}
	}
	return nil, nil, fmt.Errorf("it vanishes as often as it is made: %w", err)
}

// errStale is claimOnce's word for groups of an earlier life.
var errStale = errors.New("left by an earlier life")

func claimOnce(root *dir, base, name string) (parent, group *dir, err error) {
	parent, err = root.create(base)
	if errors.Is(err, fs.ErrExist) {
		parent, err = root.open(base)
	}
	if err != nil {
		return nil, nil, err
	}
	group, err = parent.create(name)
	if errors.Is(err, fs.ErrExist) {
		err = inspect(parent, name)
	}
	if err != nil {
		parent.close()
		_ = root.remove(base) // stays if anybody else is in it
		return nil, nil, err
	}
	return parent, group, nil
}

// inspect says what is in the way: a file of the kernel's, processes, or only
// groups of an earlier life.
func inspect(parent *dir, name string) error {
	group, err := parent.open(name)
	if errors.Is(err, unix.ENOTDIR) {
		return fmt.Errorf("the kernel has a file of that name in %s: %w", parent.path, err)
	}
	if err != nil {
		return err
	}
	defer group.close()
	if err := populated(group); err != nil {
		return err
	}
	return errStale
}

package cgroupfs

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"golang.org/x/sys/unix"
)

// patience is how long a removal tries while a group is busy: a process that
// was killed may take a while to give its memory back.
const patience = 5 * time.Second

// removeTree removes base/name in one hierarchy with all below it, and base if
// it is empty then. Nothing there is no error.
func removeTree(root *dir, base, name string, deadline time.Time) error {
	parent, err := root.open(base)
	if gone(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer parent.close()
	if err := removeGroup(parent, name, deadline); err != nil {
		return err
	}
	// Others may be in it, or come at this moment: then it stays.
	_ = root.remove(base)
	return nil
}

// removeGroup removes one group with all below it. Busy groups are tried again
// until the deadline, each round for the whole tree.
func removeGroup(parent *dir, name string, deadline time.Time) error {
	for pause := time.Millisecond; ; pause = min(2*pause, 20*time.Millisecond) {
		err := removeOnce(parent, name)
		if err == nil || gone(err) {
			return nil
		}
		if !errors.Is(err, unix.EBUSY) {
			return err
		}
		if !time.Now().Before(deadline) {
			return busy(parent, name, err)
		}
		time.Sleep(pause)
	}
}

// removeOnce makes one round: all below that can be removed, then the group.
func removeOnce(parent *dir, name string) error {
	d, err := parent.open(name)
	if err != nil {
		return err
	}
	defer d.close()
	err = walk(d.fd, func(fd int, name string) error {
		err := unix.Unlinkat(fd, name, unix.AT_REMOVEDIR)
		if err == unix.EBUSY {
			return nil // then its parent is busy too, up to the top
		}
		return ignoreGone(err)
	})
	if err != nil {
		return fmt.Errorf("cannot empty %s: %w", d.path, err)
	}
	return parent.remove(name)
}

// busy names who is in the group that could not be removed.
func busy(parent *dir, name string, err error) error {
	d, openErr := parent.open(name)
	if openErr != nil {
		return err
	}
	defer d.close()
	if who := occupant(d); who != "" {
		return fmt.Errorf("%s is still in it: %w", who, err)
	}
	return err
}

// populated is the error of a group that is in use already: fs.ErrExist.
func populated(d *dir) error {
	if who := occupant(d); who != "" {
		return fmt.Errorf("%s is in %s: %w", who, d.path, fs.ErrExist)
	}
	return nil
}

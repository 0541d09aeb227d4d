package cgroupfs

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"golang.org/x/sys/unix"
)

// entryName is a group beside guest where the process waits that had the service manager
// make the group: a group with controllers below has no process of its own.
const entryName = ".start"

// openDelegated opens what the service manager has made.
func (m *maker) openDelegated() (err error) {
	if m.parent, err = m.root.open(m.base); err != nil {
		return err
	}
	m.group, err = m.parent.open(m.name)
	return err
}

// clearDelegated removes what an earlier boot left in it: fs.ErrExist if processes are
// there.
func (m *maker) clearDelegated() error {
	err := inspect(m.group, "guest")
	switch {
	case errors.Is(err, errStale):
		return removeGroup(m.group, "guest", time.Now().Add(patience))
	case gone(err):
		return nil
	}
	return err
}

// openGroup opens BASE/NAME of a hierarchy.
func openGroup(mount, base, name string) (*dir, error) {
	parent, err := openBase(mount, base)
	if err != nil {
		return nil, err
	}
	defer parent.close()
	return parent.open(name)
}

// emptyDelegated removes what is ours of a group that the service manager removes.
func emptyDelegated(mount, base, name string, deadline time.Time) error {
	group, err := openGroup(mount, base, name)
	if gone(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer group.close()
	for _, sub := range []string{"guest", entryName} {
		if err := removeGroup(group, sub, deadline); err != nil {
			return fmt.Errorf("cannot remove groups of %q: %w", name, err)
		}
	}
	return nil
}

// Enter moves the calling process, which the service manager has put into the delegated
// group BASE/NAME, out of the way of what is made there.
func (b *Backend) Enter(base, name string) error {
	group, err := openGroup(b.tree.V2, base, name)
	if err != nil {
		return err
	}
	defer group.close()
	entry, err := group.openOrCreate(entryName)
	if err != nil {
		return err
	}
	defer entry.close()
	return entry.write("cgroup.procs", "0")
}

// Leave removes the group that Enter has made, if no process is in it any more. That the
// service manager has removed all of it is no error.
func (b *Backend) Leave(base, name string) error {
	group, err := openGroup(b.tree.V2, base, name)
	if gone(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer group.close()
	err = group.remove(entryName)
	if gone(err) || errors.Is(err, unix.EBUSY) || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

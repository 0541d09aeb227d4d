package store

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// newMountNamespace gives the calling thread, a throw-away one, a mount
// namespace of its own: what is attached there is seen nowhere else and goes
// with the thread. Descriptors are the process's, so they can be handed out.
func newMountNamespace() error {
	if err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS); err != nil {
		return explainPermission(fmt.Errorf("cannot make a mount namespace: %w", err))
	}
	// Slave, not private: what the host unmounts meanwhile goes here too, so
	// that this copy doesn't keep another guest's overlay alive.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
		return fmt.Errorf("cannot cut the mount namespace off: %w", err)
	}
	return nil
}

// becomeOwner gives the calling thread, a throw-away one, the file system ids
// uid and gid and leaves it all its capabilities.
func becomeOwner(uid, gid uint32) error {
	if err := errors.Join(unix.Setfsgid(int(gid)), unix.Setfsuid(int(uid))); err != nil {
		return fmt.Errorf("cannot set the file system ids: %w", err)
	}
	// The kernel took the effective ones that concern files.
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var caps [2]unix.CapUserData
	err := unix.Capget(&header, &caps[0])
	if err == nil {
		caps[0].Effective, caps[1].Effective = caps[0].Permitted, caps[1].Permitted
		err = unix.Capset(&header, &caps[0])
	}
	if err != nil {
		return fmt.Errorf("cannot keep the capabilities: %w", err)
	}
	return nil
}

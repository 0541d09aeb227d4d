package guest

import (
	"golang.org/x/sys/unix"
)

// unprotected refuses what the guest's configuration protects it from, whatever
// force is used: the way is to take the protection off first.
func (m *Manager) unprotected(name, from string) error {
	fd, err := m.openDir(name)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	protected, err := m.layers().Protected(fd, m.dir(name), from)
	if !protected {
		return nil
	}
	if err != nil {
		return as(ErrProtected, stateError("it may be protected from %s: %w\nhint: %s", from, err, mendConfig(name, m.dir(name), err)))
	}
	return protectedFrom(name, from)
}

// protectedFrom says that, and how to take the protection off.
func protectedFrom(name, from string) error {
	return as(ErrProtected, stateError("it is protected from %s\nhint: sysct unset %s protect", from, name))
}

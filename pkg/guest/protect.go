package guest

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/guest/spec"
)

// unprotected refuses what the guest's configuration protects it from, whatever
// force is used: the way is to take the protection off first.
func (m *Manager) unprotected(name, from string) error {
	fd, err := m.openDir(name)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	protected, err := spec.Protected(fd, name, from)
	if !protected {
		return nil
	}
	reason := fmt.Errorf("it is protected from %s\nhint: sysct unset %s protect", from, name)
	if err != nil {
		reason = fmt.Errorf("it may be protected from %s: %w\nhint: sysct edit %s", from, err, name)
	}
	return as(ErrProtected, as(ErrState, reason))
}

package guest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/limits"
)

// CgroupFile reads a file of a running guest's control group, as memory.max; on a hybrid
// host of the v1 hierarchy that has it. ErrState: the guest isn't running, ErrConfig:
// there is no such file.
func (m *Manager) CgroupFile(_ context.Context, name, file string) (text string, err error) {
	err = m.withFile(name, file, false, func(g limits.Group) (err error) {
		text, err = g.ReadFile(file)
		return err
	})
	return text, err
}

// SetCgroupFile writes one. The value is the kernel's own until the guest's next boot.
// ErrConfig: the file isn't to be written, or the kernel doesn't take the value.
func (m *Manager) SetCgroupFile(ctx context.Context, name, file, value string) error {
	if strings.ContainsAny(value, "\x00") || value == "" {
		return as(ErrConfig, fmt.Errorf("%s: an empty value can't be written", file))
	}
	if err := m.check(name); err != nil {
		return err
	}
	// Not while a verb changes the same group.
	lock, err := m.lock(ctx, name)
	if err != nil {
		return err
	}
	defer lock.Release()
	return m.withFile(name, file, true, func(g limits.Group) error {
		err := g.WriteFile(file, value)
		if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ERANGE) {
			return as(ErrConfig, fmt.Errorf("%s: the kernel does not take the value %q: %w", file, value, errors.Unwrap(err)))
		}
		return err
	})
}

// withFile does something with a file of a running guest's groups.
func (m *Manager) withFile(name, file string, write bool, do func(limits.Group) error) error {
	if err := m.check(name); err != nil {
		return err
	}
	if err := limits.CheckFile(file, write); err != nil {
		return as(ErrConfig, err)
	}
	err := m.withGroup(name, func(g limits.Group) error {
		err := do(g)
		if errors.Is(err, fs.ErrNotExist) {
			return as(ErrConfig, err)
		}
		return err
	})
	if errors.Is(err, fs.ErrNotExist) && !errors.Is(err, ErrConfig) {
		return stateError("it is not running")
	}
	return err
}

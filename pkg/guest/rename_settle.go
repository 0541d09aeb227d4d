package guest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sysct/sysct/internal/flock"
	"github.com/sysct/sysct/internal/idledger"
	"github.com/sysct/sysct/pkg/guest/spec"
)

// renamedTo is the new name of a guest whose rename isn't through; "": none is under way.
func (m *Manager) renamedTo(from string) string {
	target, err := os.Readlink(idledger.Renaming(m.dir(from)))
	if err != nil {
		return ""
	}
	to, _, _ := strings.Cut(target, "/")
	if spec.CheckName(to) != nil {
		return ""
	}
	return to
}

// renamedFrom is the name that state.json says a guest has, if a rename gave it another
// and isn't through; "": none did.
func (m *Manager) renamedFrom(to string) string {
	id, err := m.storedIdentity(to)
	if err != nil || id.Name == to || m.renamedTo(id.Name) != to {
		return ""
	}
	return id.Name
}

// settle ends the renames from and to the names, whose locks are held, that were killed:
// one that has happened is finished, of one that hasn't the mark is removed. A guest is
// settled before it is started: what the rest of a rename does is for one at rest.
func (m *Manager) settle(ctx context.Context, names ...string) error {
	for _, name := range names {
		if to := m.renamedTo(name); to != "" {
			if err := m.settleOne(ctx, name, to, names); err != nil {
				return err
			}
		}
		if from := m.renamedFrom(name); from != "" {
			if err := m.settleOne(ctx, from, name, names); err != nil {
				return err
			}
		}
	}
	return nil
}

// settleOne ends one rename; the locks that aren't held are taken for it.
func (m *Manager) settleOne(ctx context.Context, from, to string, held []string) error {
	for _, name := range []string{from, to} {
		if slices.Contains(held, name) {
			continue
		}
		lock, err := flock.TryAcquire(filepath.Join(m.dirs.Run, ".lock", name))
		if errors.Is(err, flock.ErrHeld) {
			return as(ErrLocked, err)
		}
		if err != nil {
			return err
		}
		defer lock.Release()
	}
	err := m.settleLocked(ctx, from, to)
	if err == nil && !slices.Contains(held, from) && !m.isGuest(from) {
		err = m.removeLock(from)
	}
	return err
}

// settleLocked is settleOne for who has both locks.
func (m *Manager) settleLocked(ctx context.Context, from, to string) error {
	target, err := os.Readlink(idledger.Renaming(m.dir(from)))
	if err != nil {
		return nil // somebody else has done it meanwhile
	}
	r := &renaming{m: m, ctx: ctx, from: from, to: to, keepName: strings.HasSuffix(target, "/"+keepNameMark)}
	if _, err := os.Lstat(m.dir(from)); err == nil {
		return r.unmark() // nothing has happened yet
	}
	if m.renamedFrom(to) != from {
		return r.unmark() // all is done, or what has the name now isn't what was renamed
	}
	for _, s := range r.rest() {
		if s.name == "remove lock" {
			continue // the caller's
		}
		if err := s.do(); err != nil {
			return fmt.Errorf("cannot finish the rename from %s: %w", from, err)
		}
	}
	return nil
}

// gcRenames ends renames that were killed.
func (m *Manager) gcRenames(ctx context.Context, dry bool) ([]string, error) {
	entries, err := leftoversIn(m.dirs.State)
	if err != nil {
		return nil, err
	}
	var lines []string
	var errs []error
	for _, e := range entries {
		from, marked := strings.CutPrefix(e.Name(), ".ren-")
		if !marked || spec.CheckName(from) != nil {
			continue
		}
		to := m.renamedTo(from)
		done, err := m.unlessLocked(from, dry, func() error { return m.settle(ctx, from) })
		if errors.Is(err, ErrLocked) {
			continue
		}
		errs = append(errs, err)
		if done {
			lines = append(lines, fmt.Sprintf("rename of %s to %s", from, to))
		}
	}
	return lines, errors.Join(errs...)
}

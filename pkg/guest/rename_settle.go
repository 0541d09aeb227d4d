package guest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/sysct/sysct/internal/flock"
	"github.com/sysct/sysct/internal/idledger"
	"github.com/sysct/sysct/pkg/context/ns"
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

// settle ends a rename from a name, whose lock is held, that was killed: one that
// has happened is finished, of one that hasn't the mark is removed.
func (m *Manager) settle(ctx context.Context, from string) error {
	to := m.renamedTo(from)
	if to == "" {
		return nil
	}
	lock, err := flock.TryAcquire(filepath.Join(m.dirs.Run, ".lock", to))
	if errors.Is(err, flock.ErrHeld) {
		return as(ErrLocked, err)
	}
	if err != nil {
		return err
	}
	defer lock.Release()
	return m.settleLocked(ctx, from, to)
}

// settleLocked is settle for who has both locks.
func (m *Manager) settleLocked(ctx context.Context, from, to string) error {
	target, err := os.Readlink(idledger.Renaming(m.dir(from)))
	if err != nil {
		return nil // somebody else has done it meanwhile
	}
	r := &renaming{m: m, ctx: ctx, from: from, to: to, keepName: strings.HasSuffix(target, "/"+keepNameMark)}
	if _, err := os.Lstat(m.dir(from)); err == nil {
		return r.unmark() // nothing has happened yet
	}
	if _, err := m.identity(to); err != nil {
		return r.unmark() // what has the name now isn't what was renamed
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

// claim takes a guest's ids in the ledger. They may be noted under a name that the
// guest had before a rename that was killed.
func (m *Manager) claim(ctx context.Context, name string, ids ns.IDRange) error {
	err := m.ledger.Claim(ctx, m.dir(name), ids.Base, ids.Size)
	var other *idledger.OverlapError
	if !errors.As(err, &other) || filepath.Dir(other.Other.Guest) != m.dirs.State {
		return err
	}
	from := filepath.Base(other.Other.Guest)
	if m.renamedTo(from) != name {
		return err
	}
	lock, lerr := flock.TryAcquire(filepath.Join(m.dirs.Run, ".lock", from))
	if lerr != nil {
		return lerr
	}
	defer lock.Release()
	return m.settleLocked(ctx, from, name)
}

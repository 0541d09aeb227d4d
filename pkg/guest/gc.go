package guest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/atomicfile"
	"github.com/sysct/sysct/internal/flock"
	"github.com/sysct/sysct/pkg/guest/state"
	"github.com/sysct/sysct/pkg/images/store"
	"github.com/sysct/sysct/pkg/limits/detect"
)

// GCOptions say what gc does.
type GCOptions struct {
	DryRun bool // only say what would be removed
}

// GC removes what verbs that were killed have left. It gives what it removed, a
// line each. What another process works on is left alone.
func (m *Manager) GC(ctx context.Context, o GCOptions) ([]string, error) {
	var removed []string
	var errs []error
	for _, collect := range []func(context.Context, bool) ([]string, error){m.gcRenames, m.gcEphemeral, m.gcDirs, m.gcProbes, m.collectLayers, m.gcTemps, m.gcGroups, m.gcRun, m.gcRunStates, m.gcIDs, m.gcAddresses, m.gcImages} {
		lines, err := collect(ctx, o.DryRun)
		removed, errs = append(removed, lines...), append(errs, err)
	}
	return removed, errors.Join(errs...)
}

// leftoversIn lists one of the instance's directories; none is an empty one.
func leftoversIn(dir string) ([]os.DirEntry, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("cannot look for leftovers: %w", err)
	}
	return entries, nil
}

// gcDirs removes guests that were being made or destroyed.
func (m *Manager) gcDirs(ctx context.Context, dry bool) ([]string, error) {
	entries, err := leftoversIn(m.dirs.State)
	if err != nil {
		return nil, err
	}
	var removed []string
	var errs []error
	for _, e := range entries {
		name, making := strings.CutPrefix(e.Name(), ".new-")
		if !making {
			var ok bool
			if name, ok = strings.CutPrefix(e.Name(), ".del-"); !ok {
				continue
			}
		}
		done, err := m.unlessLocked(name, dry, func() error {
			path := filepath.Join(m.dirs.State, e.Name())
			if _, err := os.Lstat(path); errors.Is(err, os.ErrNotExist) {
				return errStays
			}
			if err := m.removeTree(path); err != nil {
				return err
			}
			if _, err := os.Lstat(m.dir(name)); !errors.Is(err, os.ErrNotExist) {
				return nil // a guest of that name is there: the ids are its
			}
			return m.ledger.Free(ctx, m.dir(name))
		})
		errs = append(errs, err)
		if done {
			removed = append(removed, "directory "+filepath.Join(m.dirs.State, e.Name()))
		}
	}
	return removed, errors.Join(errs...)
}

// gcProbes removes directories in which it was being tried what the storage can do.
func (m *Manager) gcProbes(_ context.Context, dry bool) ([]string, error) {
	entries, err := leftoversIn(m.dirs.State)
	errs := []error{err}
	var removed []string
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), store.ProbePrefix) {
			continue
		}
		path := filepath.Join(m.dirs.State, e.Name())
		done, err := store.CollectProbe(path, dry)
		errs = append(errs, err)
		if done {
			removed = append(removed, "directory "+path)
		}
	}
	return removed, errors.Join(errs...)
}

// gcTemps removes files that were being written in guests' directories.
func (m *Manager) gcTemps(_ context.Context, dry bool) ([]string, error) {
	names, err := m.Names()
	errs := []error{err}
	var removed []string
	for _, name := range names {
		left, err := filepath.Glob(filepath.Join(m.dir(name), atomicfile.TempPrefix+"*"))
		errs = append(errs, err)
		for _, path := range left {
			done, err := m.unlessLocked(name, dry, func() error {
				if err := os.Remove(path); !errors.Is(err, os.ErrNotExist) {
					return err
				}
				return errStays
			})
			errs = append(errs, err)
			if done {
				removed = append(removed, "file "+path)
			}
		}
	}
	return removed, errors.Join(errs...)
}

// unlessLocked does something under the guest's lock, if nobody has it.
func (m *Manager) unlessLocked(name string, dry bool, do func() error) (bool, error) {
	dir := filepath.Join(m.dirs.Run, ".lock")
	if _, err := os.Lstat(filepath.Join(dir, name)); dry && errors.Is(err, os.ErrNotExist) {
		return true, nil // nobody has it, and it isn't made for the question
	}
	if err := errors.Join(privateDir(m.dirs.Run), privateDir(dir)); err != nil {
		return false, err
	}
	lock, err := flock.TryAcquire(filepath.Join(dir, name))
	if errors.Is(err, flock.ErrHeld) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer lock.Release()
	if dry {
		return true, nil
	}
	if err = do(); errors.Is(err, errStays) {
		return false, nil
	}
	return err == nil, err
}

// errStays says of what looked left that it isn't, or is gone: it was looked at before the
// lock was had.
var errStays = errors.New("it is in use, or gone")

// gcGroups removes empty groups whose guest has no monitor.
func (m *Manager) gcGroups(ctx context.Context, dry bool) ([]string, error) {
	backend, err := detect.Detect()
	if err != nil {
		return nil, err
	}
	names, err := backend.List(m.base())
	if err != nil {
		return nil, err
	}
	var removed []string
	var errs []error
	for _, name := range names {
		if strings.HasPrefix(name, ".") || m.alive(ctx, name) {
			continue
		}
		done, err := m.unlessLocked(name, dry, func() error {
			if m.alive(ctx, name) {
				return errStays
			}
			return backend.Remove(m.base(), name)
		})
		errs = append(errs, err)
		if done {
			removed = append(removed, "control groups of "+name)
		}
	}
	return removed, errors.Join(errs...)
}

// alive says whether the guest has processes or a monitor.
func (m *Manager) alive(ctx context.Context, name string) bool {
	if populated, err := m.populated(name); populated || err != nil {
		return true
	}
	conn, err := m.dial(ctx, name)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// gcRun removes run directories of guests that are gone.
func (m *Manager) gcRun(ctx context.Context, dry bool) ([]string, error) {
	entries, err := leftoversIn(m.dirs.Run)
	if err != nil {
		return nil, err
	}
	var removed []string
	var errs []error
	for _, e := range entries {
		name := e.Name()
		left := func() bool {
			_, err := os.Lstat(m.dir(name))
			return err != nil && m.isRunDir(name) && !m.alive(ctx, name)
		}
		if !e.IsDir() || strings.HasPrefix(name, ".") || !left() {
			continue
		}
		done, err := m.unlessLocked(name, dry, func() error {
			if !left() {
				return errStays
			}
			return m.removeRunDir(name)
		})
		errs = append(errs, err)
		if done {
			removed = append(removed, "run directory "+m.runDir(name))
		}
	}
	return removed, errors.Join(errs...)
}

// gcRunStates removes what was noted of guests' lives before the host's last boot, where
// the run directory outlasts that.
func (m *Manager) gcRunStates(ctx context.Context, dry bool) ([]string, error) {
	boot, err := bootID()
	if err != nil {
		return nil, err
	}
	names, err := m.Names()
	errs := []error{err}
	var removed []string
	for _, name := range names {
		left := func() bool { return m.isOfOtherBoot(name, boot) && !m.alive(ctx, name) }
		if !left() {
			continue
		}
		done, err := m.unlessLocked(name, dry, func() error {
			if !left() {
				return errStays
			}
			return m.removeRunDir(name)
		})
		errs = append(errs, err)
		if done {
			removed = append(removed, "run state of an earlier boot of the host, of "+name)
		}
	}
	return removed, errors.Join(errs...)
}

// isOfOtherBoot says that the guest has a run state, and not one of the boot that is named.
func (m *Manager) isOfOtherBoot(name, boot string) bool {
	fd, err := unix.Open(m.runDir(name), unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	run, err := state.ReadRun(fd)
	return err == nil && run.BootID != boot
}

// runFiles are what a guest's run directory may hold.
func runFiles() []string { return []string{"control.sock", "run.json", "monitor.lock"} }

// isRunDir tells whether a directory holds nothing but what a monitor makes: any
// other is somebody else's.
func (m *Manager) isRunDir(name string) bool {
	entries, err := os.ReadDir(m.runDir(name))
	if err != nil || len(entries) == 0 {
		return false
	}
	for _, e := range entries {
		if !slices.Contains(runFiles(), e.Name()) && !strings.HasPrefix(e.Name(), atomicfile.TempPrefix) {
			return false
		}
	}
	return true
}

// removeRunDir removes a guest's run directory, file by file by their names.
func (m *Manager) removeRunDir(name string) error {
	entries, err := os.ReadDir(m.runDir(name))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot remove run directory: %w", err)
	}
	var errs []error
	for _, e := range entries {
		if slices.Contains(runFiles(), e.Name()) || strings.HasPrefix(e.Name(), atomicfile.TempPrefix) {
			errs = append(errs, os.Remove(filepath.Join(m.runDir(name), e.Name())))
		}
	}
	return errors.Join(append(errs, os.Remove(m.runDir(name)))...)
}

// gcIDs frees id ranges of guests that are gone.
func (m *Manager) gcIDs(ctx context.Context, dry bool) ([]string, error) {
	if used, _, err := m.ledger.Count(); dry && err == nil && len(used) == 0 {
		return nil, nil // there may be no ledger, and it isn't made for the question
	}
	gone, err := m.ledger.Prune(ctx, m.dirs.State, dry)
	var lines []string
	for _, e := range gone {
		lines = append(lines, fmt.Sprintf("ids %s of %s", e, e.Guest))
	}
	return lines, err
}

// gcImages removes builds that were killed. Whole images stay: they are the cache.
func (m *Manager) gcImages(_ context.Context, dry bool) ([]string, error) {
	lines, err := m.images.GC(func(string) bool { return true }, dry)
	for i := range lines {
		lines[i] = "image " + lines[i]
	}
	return lines, err
}

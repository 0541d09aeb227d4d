package guest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/flock"
	"github.com/sysct/sysct/internal/idledger"
	"github.com/sysct/sysct/pkg/guest/events"
	"github.com/sysct/sysct/pkg/guest/spec"
	"github.com/sysct/sysct/pkg/guest/state"
	"github.com/sysct/sysct/pkg/images/store"
)

// RenameOptions say how a guest is renamed.
type RenameOptions struct {
	KeepName bool // the system keeps its host name
}

// A rename touches several files. It has happened once the directory has its new
// name; a mark, made before that and removed last, lets whoever comes next finish the
// rest of one that was killed:
//
//	STATE/.ren-OLD -> NEW            a link that leads nowhere
//	STATE/.ren-OLD -> NEW/keep-name  the same, the host name stays
const keepNameMark = "keep-name"

// renaming is a rename on its way.
type renaming struct {
	m        *Manager
	ctx      context.Context
	from, to string
	keepName bool
	layers   []string // that it shares
}

// Rename gives a stopped guest another name, and its system that host name if it had
// the old one. ErrState if it runs, ErrExists if the name is taken.
func (m *Manager) Rename(ctx context.Context, from, to string, o RenameOptions) error {
	if err := m.check(from); err != nil {
		return err
	}
	if err := spec.CheckName(to); err != nil {
		return as(ErrConfig, err)
	}
	if from == to {
		return as(ErrConfig, errors.New("that is its name already"))
	}
	if err := m.free(to); err != nil {
		return fmt.Errorf("%s: %w", to, err)
	}
	first, second, err := m.lockBoth(ctx, from, to)
	if err != nil {
		return err
	}
	defer second.Release()
	defer first.Release()
	if err := m.settle(ctx, from, to); err != nil {
		return err
	}
	if err := m.check(from); err != nil {
		return err
	}
	if err := m.free(to); err != nil {
		return fmt.Errorf("%s: %w", to, err)
	}
	id, err := m.identity(from)
	if err != nil {
		return err
	}
	if err := m.mustBeStopped(ctx, from, false); err != nil {
		if errors.Is(err, ErrState) {
			return stateError("%s\nhint: sysct stop %s first", oneLine(err), from)
		}
		return err
	}
	r := &renaming{m: m, ctx: ctx, from: from, to: to, keepName: o.KeepName, layers: id.Layers}
	if err := run(r.steps()); err != nil {
		return err
	}
	if err := run(r.rest()); err != nil {
		return fmt.Errorf("%w\nhint: it is called %s now; sysct gc does what is left", err, to)
	}
	return nil
}

// lockBoth takes two guests' locks, always in the same order.
func (m *Manager) lockBoth(ctx context.Context, a, b string) (first, second *flock.Lock, err error) {
	if first, err = m.lock(ctx, min(a, b)); err != nil {
		return nil, nil, err
	}
	if second, err = m.lock(ctx, max(a, b)); err != nil {
		return nil, nil, errors.Join(err, first.Release())
	}
	return first, second, nil
}

// steps are those up to the new name of the directory.
func (r *renaming) steps() []step {
	return []step{
		{"clear run directory", func() error { return r.m.removeRunDir(r.to) }, nil},
		{"unmount rootfs", func() error { return r.m.unmount(r.from) }, func() error { return r.m.show(r.from) }},
		{"mark rename", r.mark, r.unmark},
		{"rename directory", r.directory, nil},
	}
}

// rest are the steps after the directory has its new name: there is no way back, but
// each can be repeated. With the identity all is done.
func (r *renaming) rest() []step {
	return []step{
		{"sync", func() error { return syncDir(r.m.dirs.State) }, nil},
		{"move ids", r.ids, nil},
		{"move addresses", func() error {
			return r.m.networks().Rename(context.WithoutCancel(r.ctx), r.from, r.to)
		}, nil},
		{"move logs", r.logs, nil},
		{"move run state", r.runState, nil},
		{"remove groups", func() error { return r.m.removeGroups(r.from) }, nil},
		{"set host name", r.hostname, nil},
		{"write identity", r.identity, nil},
		{"move unit", func() error { r.m.moveUnit(r.ctx, r.from, r.to); return nil }, nil},
		{"note it", func() error {
			r.m.happened(r.ctx, events.Event{Kind: events.Rename, Guest: r.to, From: r.from})
			return nil
		}, nil},
		{"unmark rename", r.unmark, nil},
		{"remove lock", func() error { return r.m.removeLock(r.from) }, nil},
	}
}

func (r *renaming) marker() string { return idledger.Renaming(r.m.dir(r.from)) }

func (r *renaming) mark() error {
	target := r.to
	if r.keepName {
		target += "/" + keepNameMark
	}
	if err := os.Symlink(target, r.marker()); err != nil {
		return fmt.Errorf("cannot mark the rename: %w", err)
	}
	return syncDir(r.m.dirs.State)
}

func (r *renaming) unmark() error {
	if err := os.Remove(r.marker()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("cannot remove the mark of the rename: %w", err)
	}
	return syncDir(r.m.dirs.State)
}

// directory gives the guest its new name. All that can fail afterwards is for rest.
func (r *renaming) directory() error {
	return r.m.withLayers(r.ctx, r.layers, func() error {
		err := unix.Renameat2(unix.AT_FDCWD, r.m.dir(r.from), unix.AT_FDCWD, r.m.dir(r.to), unix.RENAME_NOREPLACE)
		if errors.Is(err, unix.EEXIST) {
			return r.m.free(r.to)
		}
		if err != nil {
			return fmt.Errorf("cannot rename the guest's directory: %w", err)
		}
		return nil
	})
}

func (r *renaming) ids() error {
	id, err := r.m.identity(r.to)
	if err != nil {
		return err
	}
	return r.m.ledger.Rename(context.WithoutCancel(r.ctx), r.m.dir(r.from), r.m.dir(r.to), id.IDBase, id.IDSize)
}

// logs moves the files with the old name; new ones of a file that is there already
// would be another guest's.
func (r *renaming) logs() error {
	var errs []error
	for _, path := range r.m.logFiles(r.from) {
		rest := strings.TrimPrefix(filepath.Base(path), r.from)
		err := os.Rename(path, filepath.Join(r.m.dirs.Log, r.to+rest))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, fmt.Errorf("cannot rename log: %w", err))
		}
	}
	return errors.Join(errs...)
}

// runState moves what is known of the last life.
func (r *renaming) runState() error {
	if err := r.m.removeRunDir(r.to); err != nil {
		return err
	}
	err := os.Rename(r.m.runDir(r.from), r.m.runDir(r.to))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("cannot rename run directory: %w", err)
	}
	return nil
}

// hostname renames the system, if it was called as the guest was.
func (r *renaming) hostname() error {
	id, err := r.m.identity(r.to)
	if err != nil {
		return err
	}
	layout, err := r.m.guestLayout(r.to, id)
	if err != nil {
		r.m.opt.Warn("its system isn't told its new name: " + oneLine(err))
		return nil
	}
	if err := store.MountPlain(layout); err != nil {
		return err
	}
	if r.keepName {
		return nil
	}
	if err := r.forgetHostname(); err != nil {
		return err
	}
	if !isCalled(r.m.Rootfs(r.to), r.from) {
		return nil
	}
	n := &newIdentity{id: id, name: r.to, warn: r.m.opt.Warn, was: []string{r.from}}
	return resetIdentity(r.m.Rootfs(r.to), n, Keep{}, "hosts", "host name")
}

// forgetHostname removes the old name from the configuration, if it is there.
func (r *renaming) forgetHostname() error {
	return r.m.inGuest(r.to, func(dir int) error {
		text, err := spec.LoadText(dir, r.m.dir(r.to))
		if err != nil {
			return nil // what can't be read stays as it is
		}
		if g, err := r.m.layers().Parse(text.Data, text.Name); err != nil || g.Hostname != r.from {
			return nil
		}
		data, err := r.m.layers().Edit(text.Data, text.Name, []spec.Change{{Key: "hostname", Unset: true}})
		if err != nil {
			return err
		}
		_, err = r.m.replaceConfig(context.Background(), dir, r.to, text, data)
		return err
	})
}

func (r *renaming) identity() error {
	id, err := r.m.identity(r.to)
	if err != nil {
		return err
	}
	fd, err := unix.Open(r.m.dir(r.to), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("cannot open guest directory: %w", err)
	}
	defer unix.Close(fd)
	return state.WriteIdentity(fd, id)
}

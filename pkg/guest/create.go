package guest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/atomicfile"
	"github.com/sysct/sysct/internal/idledger"
	"github.com/sysct/sysct/internal/safefs"
	"github.com/sysct/sysct/pkg/context/inits"
	"github.com/sysct/sysct/pkg/guest/events"
	"github.com/sysct/sysct/pkg/guest/spec"
	"github.com/sysct/sysct/pkg/guest/state"
	"github.com/sysct/sysct/pkg/images"
	"github.com/sysct/sysct/pkg/images/store"
)

// CreateOptions say what a new guest is made from.
type CreateOptions struct {
	Template string        // name of the template
	Args     []string      // the template's arguments, what comes after -- on the command line
	Backend  string        // auto, btrfs, overlay, dir, shift; empty: auto
	Net      string        // none, host, or a network's name; empty: Options.Network, unless Config or a profile says
	Config   []spec.Change // what isn't to be as by default
}

// creation is what the steps of a create hand on to each other.
type creation struct {
	m      *Manager
	ctx    context.Context
	name   string
	dir    string // under construction
	image  *images.Image
	ids    idledger.Entry
	layout store.Layout
	text   []byte // of config.toml
	id     state.Identity
}

// Create makes a guest: its image is built unless it is cached, its directory
// is filled beside and gets its name at the end, so a guest is there whole or
// not at all. ErrExists if the name is taken, ErrConfig for bad input.
func (m *Manager) Create(ctx context.Context, name string, o CreateOptions) error {
	if err := spec.CheckName(name); err != nil {
		return as(ErrConfig, err)
	}
	text, err := m.newConfig(name, o)
	if err != nil {
		return err
	}
	recipe, backend, err := m.plan(o)
	if err != nil {
		return err
	}
	if err := m.free(name); err != nil {
		return err
	}
	if err := privateDir(m.dirs.State); err != nil {
		return err
	}
	image, err := m.images.Ensure(ctx, recipe, m.opt.Progress, nil)
	if err != nil {
		return err
	}
	defer image.Close()
	lock, err := m.lock(ctx, name)
	if err != nil {
		return err
	}
	defer lock.Release()
	if err := m.free(name); err != nil {
		return err
	}
	c := &creation{m: m, ctx: ctx, name: name, dir: idledger.Building(m.dir(name)), image: image, text: text}
	c.layout = m.layout(c.dir, backend, image.RootFS)
	if err := run(c.steps(backend)); err != nil {
		return err
	}
	m.happened(ctx, events.Event{Kind: events.Create, Guest: name, From: o.Template})
	m.syncNew(ctx, name)
	return nil
}

// plan checks what can be checked before anything is made.
func (m *Manager) plan(o CreateOptions) (*images.Recipe, string, error) {
	t, err := images.Find(m.opt.TemplateDirs, o.Template)
	if err != nil {
		return nil, "", as(ErrConfig, err)
	}
	recipe, err := t.Recipe(o.Args)
	if err != nil {
		return nil, "", as(ErrConfig, err)
	}
	switch o.Backend {
	case "", "auto":
		if err := privateDir(m.dirs.State); err != nil {
			return nil, "", err
		}
		backend, err := store.Auto(m.dirs.State)
		return recipe, backend, err
	case "btrfs":
		if err := privateDir(m.dirs.State); err != nil {
			return nil, "", err
		}
		if guessBackend(m.dirs.State) != "btrfs" {
			return nil, "", as(ErrConfig, fmt.Errorf("backend btrfs: %s is not on btrfs", m.dirs.State))
		}
		return recipe, o.Backend, nil
	case "dir", "overlay", "shift":
		return recipe, o.Backend, nil
	}
	return nil, "", as(ErrConfig, fmt.Errorf("unknown backend %q (auto, btrfs, overlay, dir, shift)", o.Backend))
}

// free says that the name is not taken, by a guest or by anything else.
func (m *Manager) free(name string) error {
	var st unix.Stat_t
	switch err := unix.Lstat(m.dir(name), &st); {
	case errors.Is(err, unix.ENOENT):
		return nil
	case err != nil:
		return fmt.Errorf("cannot check %s: %w", m.dir(name), err)
	case !m.isGuest(name):
		return as(ErrExists, fmt.Errorf("%s is in the way and not a guest", m.dir(name)))
	}
	return as(ErrExists, errors.New("a guest of that name exists"))
}

// layout is the storage of a guest whose directory is dir.
func (m *Manager) layout(dir, backend string, lower ...string) store.Layout {
	l := store.Layout{Backend: backend, GuestDir: dir}
	if backend == store.Overlay {
		l.Lower = lower
	}
	return l
}

func (c *creation) steps(backend string) []step {
	return []step{
		{"clear leftovers", c.clear, nil},
		{"make directory", c.mkdir, c.remove},
		{"allocate ids", c.allocate, c.release},
		{"check init", c.checkInit, nil},
		{"fill rootfs", func() error { return store.Create(c.ctx, c.layout, c.image.RootFS) }, nil},
		{"write identity", func() error { return c.identity(backend) }, nil},
		{"write config", c.config, nil},
		// What a create has announced is there after a power loss too.
		{"sync", func() error { return store.Sync(c.layout) }, nil},
		{"publish", c.publish, nil},
	}
}

// clear removes what a killed create of the same name has left: we hold its lock.
func (c *creation) clear() error {
	if err := c.m.settle(c.ctx, c.name); err != nil {
		return err
	}
	if _, err := os.Lstat(c.dir); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return c.m.removeTree(c.dir)
}

func (c *creation) mkdir() error {
	if err := os.Mkdir(c.dir, 0o700); err != nil {
		return fmt.Errorf("cannot make guest directory: %w", err)
	}
	return nil
}

func (c *creation) remove() error { return c.m.removeTree(c.dir) }

func (c *creation) allocate() (err error) {
	cfg, err := spec.Parse(c.text, c.name+"/config.toml")
	if err != nil {
		return as(ErrConfig, err)
	}
	c.ids, err = c.m.ledger.AllocateSize(c.ctx, c.m.dir(c.name), idsOf(cfg))
	return err
}

func (c *creation) release() error {
	return c.m.ledger.Free(context.WithoutCancel(c.ctx), c.m.dir(c.name))
}

// checkInit says now what the first start would say.
func (c *creation) checkInit() error {
	root, err := safefs.OpenRoot(c.image.RootFS)
	if err != nil {
		return err
	}
	defer root.Close()
	return inits.Check(root, inits.Places())
}

func (c *creation) identity(backend string) error {
	c.id = state.Identity{Name: c.name, IDBase: c.ids.Base, IDSize: c.ids.Size,
		Template: c.image.Template, Image: c.image.Key, Backend: backend, CreatedAt: time.Now().UTC()}
	if err := store.MountPlain(c.layout); err != nil {
		return err
	}
	n := &newIdentity{id: &c.id, name: c.name, warn: c.m.opt.Warn, volatile: true}
	if err := resetIdentity(filepath.Join(c.dir, "rootfs"), n, Keep{}); err != nil {
		return err
	}
	return c.inDir(func(fd int) error { return state.WriteNewIdentity(fd, &c.id) })
}

func (c *creation) config() error {
	return c.inDir(func(fd int) error { return atomicfile.WriteVolatile(fd, "config.toml", c.text, 0o600) })
}

func (c *creation) inDir(do func(fd int) error) error {
	fd, err := unix.Open(c.dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("cannot open guest directory: %w", err)
	}
	defer unix.Close(fd)
	return do(fd)
}

// publish gives the directory its name. What is mounted below it stays mounted.
func (c *creation) publish() error {
	err := c.m.withLayers(c.ctx, c.id.Layers, func() error {
		return unix.Renameat2(unix.AT_FDCWD, c.dir, unix.AT_FDCWD, c.m.dir(c.name), unix.RENAME_NOREPLACE)
	})
	if errors.Is(err, unix.EEXIST) {
		return c.m.free(c.name)
	}
	if err != nil {
		return fmt.Errorf("cannot name guest: %w", err)
	}
	return syncDir(c.m.dirs.State)
}

func syncDir(path string) error {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("cannot sync %s: %w", path, err)
	}
	defer unix.Close(fd)
	if err := unix.Fsync(fd); err != nil {
		return fmt.Errorf("cannot sync %s: %w", path, err)
	}
	return nil
}

// removeTree removes a guest's directory, or one under construction. The backend
// is the one its state names; without a state, what is there shows it.
func (m *Manager) removeTree(dir string) error {
	if !strings.HasPrefix(filepath.Clean(dir), m.dirs.State+"/") {
		return fmt.Errorf("cannot remove %s: it is not in %s", dir, m.dirs.State)
	}
	backend := ""
	if fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0); err == nil {
		if id, err := state.ReadIdentity(fd); err == nil {
			backend = id.Backend
		}
		unix.Close(fd)
	}
	if backend == "" {
		backend = guessBackend(dir)
	}
	return store.Destroy(store.Layout{Backend: backend, GuestDir: dir})
}

// guessBackend tells the backend of a directory without a readable state.
func guessBackend(dir string) string {
	if _, err := os.Lstat(filepath.Join(dir, "upper")); err == nil {
		return "overlay"
	}
	var fs unix.Statfs_t
	if unix.Statfs(dir, &fs) == nil && uint32(fs.Type) == unix.BTRFS_SUPER_MAGIC {
		return "btrfs"
	}
	return "dir"
}

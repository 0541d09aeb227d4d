package guest

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/flock"
	"github.com/sysct/sysct/internal/idledger"
	"github.com/sysct/sysct/pkg/guest/events"
	"github.com/sysct/sysct/pkg/guest/spec"
	"github.com/sysct/sysct/pkg/guest/state"
	"github.com/sysct/sysct/pkg/images/store"
)

// CloneOptions say how a guest is cloned.
type CloneOptions struct {
	Snapshot  bool // share what the guest has instead of copying it
	Keep      Keep // parts of the identity that the clone keeps
	Ephemeral bool // the clone is destroyed when it stops
}

// CloneReport says what a clone cost.
type CloneReport struct {
	Still  time.Duration // how long a running guest held still
	Copied string        // why something was copied that was to be shared; "": it wasn't
}

// cloning is what the steps of a clone hand on to each other.
type cloning struct {
	creation
	from    string
	o       CloneOptions
	was     *state.Identity // of the guest that is cloned
	source  store.Layout    // its storage
	held    *hold
	layers  *flock.Lock // of the shared layers, while one is made
	sharing bool        // the clone is put above the layers of the source
	fresh   bool        // the source's own layer, which isn't empty, becomes one of them
	layerID string      // its name then
	report  CloneReport
}

// Clone makes a guest as a copy of another one, which may run: it holds still then. What
// it shows is never changed. The clone has an identity of its own, is independent of the
// other, and is there whole or not at all. ErrExists if the name is taken, ErrConfig for
// a snapshot where the backend has none.
func (m *Manager) Clone(ctx context.Context, from, to string, o CloneOptions) (*CloneReport, error) {
	if err := m.check(from); err != nil {
		return nil, err
	}
	if err := spec.CheckName(to); err != nil {
		return nil, as(ErrConfig, err)
	}
	if err := m.free(to); err != nil {
		return nil, fmt.Errorf("%s: %w", to, err)
	}
	first, second, err := m.lockBoth(ctx, from, to)
	if err != nil {
		return nil, err
	}
	defer second.Release()
	defer first.Release()
	if err := m.settle(ctx, from, to); err != nil {
		return nil, err
	}
	if err := m.check(from); err != nil {
		return nil, err
	}
	if err := m.free(to); err != nil {
		return nil, fmt.Errorf("%s: %w", to, err)
	}
	c := &cloning{creation: creation{m: m, ctx: ctx, name: to, dir: idledger.Building(m.dir(to))}, from: from, o: o}
	if err := c.look(); err != nil {
		return nil, err
	}
	defer c.unlock()
	if err := run(c.steps()); err != nil {
		return &c.report, err
	}
	m.happened(ctx, events.Event{Kind: events.Clone, Guest: to, From: from})
	m.syncNew(ctx, to)
	return &c.report, nil
}

// look finds out what is to be cloned, before anything is made.
func (c *cloning) look() (err error) {
	if c.was, err = c.m.identity(c.from); err != nil {
		return err
	}
	if c.o.Snapshot && (c.was.Backend == store.Dir || c.was.Backend == store.Shift) {
		return as(ErrConfig, fmt.Errorf("its backend is %s, which can only be copied\nhint: sysct clone %s %s; guests of the backends overlay and btrfs can be shared", c.was.Backend, c.from, c.name))
	}
	text, err := c.m.ConfigText(c.from)
	if err != nil {
		return err
	}
	if c.text, err = cloneConfig(c.m.layers(), text, c.o); err != nil {
		return as(ErrConfig, err)
	}
	c.source, err = c.m.guestLayout(c.from, c.was)
	return err
}

func (c *cloning) steps() []step {
	return []step{
		{"clear leftovers", c.clear, nil},
		{"make directory", c.mkdir, c.remove},
		{"allocate ids", c.allocate, c.release},
		{"hold source", c.hold, c.abandon},
		{"unmount source", c.whenFresh(func() error { return c.m.unmount(c.from) }), c.whenFresh(c.mountSource)},
		{"make layer", c.whenFresh(c.makeLayer), nil},
		{"note layer", c.whenFresh(c.noteLayer), nil},
		{"split layer", c.whenFresh(c.split), nil},
		{"mount source", c.whenFresh(c.mountSource), nil},
		{"copy rootfs", c.fill, nil},
		{"let source go", c.letGo, nil},
		{"write identity", c.identity, nil},
		{"write config", c.config, nil},
		{"clone hook", c.hook, nil},
		{"sync", c.sync, nil},
		{"publish", c.publish, nil},
	}
}

func (c *cloning) hold() (err error) {
	if c.held, err = c.m.holdStill(c.ctx, c.from); err != nil {
		return err
	}
	if !c.o.Snapshot || c.was.Backend != store.Overlay {
		return nil
	}
	empty, err := store.UpperIsEmpty(c.source)
	switch {
	case err != nil:
		return err
	case c.held.running():
		c.report.Copied = "it runs, so its own layer was copied"
	case len(c.was.Layers) >= maxLayers && !empty:
		c.report.Copied = fmt.Sprintf("it is on %d shared layers, which is the most, so its own layer was copied", maxLayers)
	default:
		c.sharing, c.fresh = true, !empty
	}
	return nil
}

// abandon lets the source go on after an error.
func (c *cloning) abandon() error {
	if c.held == nil {
		return nil
	}
	_, err := c.held.letGo(c.ctx)
	return err
}

func (c *cloning) letGo() (err error) {
	c.report.Still, err = c.held.letGo(c.ctx)
	return err
}

// fill makes the clone's root file system.
func (c *cloning) fill() error {
	c.layout = c.m.layout(c.dir, c.was.Backend, c.source.Lower...)
	how := store.Copy
	switch {
	case c.sharing:
		how = store.CreateAbove
	case c.o.Snapshot && c.was.Backend == store.Btrfs:
		how = store.Snapshot
	}
	if err := how(c.ctx, c.layout, c.source); err != nil {
		return err
	}
	return store.CopyNested(c.ctx, c.layout, c.source)
}

// identity gives the clone one of its own.
func (c *cloning) identity() error {
	c.id = *c.was
	c.id.Name, c.id.IDBase, c.id.IDSize, c.id.CreatedAt = c.name, c.ids.Base, c.ids.Size, time.Now().UTC()
	if err := store.MountPlain(c.layout); err != nil {
		return err
	}
	rootfs := filepath.Join(c.dir, "rootfs")
	n := &newIdentity{id: &c.id, name: c.name, warn: c.m.opt.Warn, volatile: true, was: []string{c.from}}
	if host, err := hostnameOf(rootfs); err == nil && host != c.from {
		n.was = append(n.was, host)
	}
	if err := resetIdentity(rootfs, n, c.o.Keep); err != nil {
		return err
	}
	return c.inDir(func(fd int) error { return state.WriteNewIdentity(fd, &c.id) })
}

// sync writes through what a clone that has been announced needs after a power loss:
// what was copied, which is in no file that somebody else has synced.
func (c *cloning) sync() error {
	if c.sharing && !c.layout.HasNested() {
		return store.Sync(c.layout)
	}
	return store.SyncAll(c.layout)
}

// cloneConfig is the configuration of a clone: it is not protected as a guest to clone
// from may be, and has no host name and hardware addresses that the other guest has. All else, comments
// included, stays as it is.
func cloneConfig(layers *spec.Layers, text *spec.Text, o CloneOptions) ([]byte, error) {
	g, err := spec.Parse(text.Data, text.Name) // what others include isn't the clone's to change
	if err != nil {
		return nil, err
	}
	var changes []spec.Change
	unset := func(key string, is bool) {
		if is {
			changes = append(changes, spec.Change{Key: key, Unset: true})
		}
	}
	unset("protect", len(g.Protect) > 0)
	unset("hostname", g.Hostname != "" && !o.Keep.Name)
	for i := range g.Net {
		unset(fmt.Sprintf("net[%d].mac", i), g.Net[i].MAC != "" && !o.Keep.MAC)
	}
	unset("ephemeral", g.Ephemeral && !o.Ephemeral)
	if o.Ephemeral && !g.Ephemeral {
		changes = append(changes, spec.Change{Key: "ephemeral", Value: "true"})
	}
	data, err := layers.Edit(text.Data, text.Name, changes)
	if err != nil {
		return nil, err
	}
	if g, err = layers.Parse(data, text.Name); err == nil && g.Ephemeral && !o.Ephemeral {
		// A profile says so.
		return layers.Edit(data, text.Name, []spec.Change{{Key: "ephemeral", Value: "false"}})
	}
	return data, err
}

// whenFresh is a step for a clone that makes a layer of what the source has.
func (c *cloning) whenFresh(do func() error) func() error {
	return func() error {
		if !c.fresh {
			return nil
		}
		return do()
	}
}

// makeLayer makes an empty layer.
func (c *cloning) makeLayer() (err error) {
	if c.layers, err = c.m.lockLayers(c.ctx, false); err != nil {
		return err
	}
	if err := privateDir(c.m.layersDir()); err != nil {
		return err
	}
	id, err := newLayerID()
	if err != nil {
		return err
	}
	if err := store.NewLayer(c.source, c.m.layerDir(id)); err != nil {
		return err
	}
	c.layerID = id
	return syncDir(c.m.layersDir())
}

// noteLayer puts the empty layer below the source's own.
func (c *cloning) noteLayer() error {
	changed := *c.was
	changed.Layers = append([]string{c.layerID}, c.was.Layers...)
	fd, err := c.m.openDir(c.from)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := state.WriteIdentity(fd, &changed); err != nil {
		return err // the layer is gc's, unless it has been noted all the same
	}
	c.was = &changed
	image := c.source.Lower[len(c.source.Lower)-1]
	c.source.Lower = c.m.lower(changed.Layers, image)
	c.unlock()
	return nil
}

// split exchanges the two.
func (c *cloning) split() error {
	return store.Split(c.source, c.m.layerDir(c.layerID))
}

// mountSource shows the source again as a stopped guest's is.
func (c *cloning) mountSource() error { return store.MountPlain(c.source) }

// unlock lets the layers go; a second call does nothing.
func (c *cloning) unlock() {
	if c.layers != nil {
		c.layers.Release()
		c.layers = nil
	}
}

package guest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/idledger"
	"github.com/sysct/sysct/pkg/guest/spec"
	"github.com/sysct/sysct/pkg/limits"
)

// ConfigValue is a key of a guest's configuration with what it is now.
type ConfigValue struct {
	Key     string `json:"key"`     // limits.memory, env.LANG, net[0].type
	Value   any    `json:"value"`   // sizes in bytes, durations in seconds, quotas in CPUs; nil: none
	Default bool   `json:"default"` // no file says it
	Origin  string `json:"origin"`  // the file that says it: config.toml, or the path of one that this is laid over; "": none
	Change  string `json:"change"`  // when a change counts: "restart", with the next start; "live", at once
	Text    string `json:"-"`       // the value as SetConfig takes it; "" if there is none
}

// hidden stands for a secret where it wasn't asked for by its key.
const hidden = "(hidden)"

// ConfigChange is what became of a guest's configuration.
type ConfigChange struct {
	Keys    []string // whose values are others now
	Waiting []string // those that count from the next start on only, if the guest runs
	Also    []string // others that were in the file and count in the running guest from now on, too
	// Old: some wait only because the guest's monitor is of an older program.
	Old bool
}

// Config returns the values of a guest's configuration, defaults included: all of
// them if key is "", those in a table, or that of one key. ErrConfig if there is no
// such key, or the file is wrong.
func (m *Manager) Config(_ context.Context, name, key string) ([]ConfigValue, error) {
	text, err := m.ConfigText(name)
	if err != nil {
		return nil, err
	}
	values, err := m.layers().Values(text.Data, text.Name, key)
	if err != nil {
		return nil, as(ErrConfig, err)
	}
	list := make([]ConfigValue, len(values))
	for i, v := range values {
		list[i] = ConfigValue{Key: v.Key, Value: v.Value, Default: !v.Set, Origin: strings.TrimPrefix(v.Origin, m.dir(name)+"/"), Change: v.Field.Change, Text: v.Text}
		if v.Secret && (key == "" || spec.IsTable(key)) {
			list[i].Value, list[i].Text = hidden, hidden
		}
		if err := list[i].decide(name); err != nil {
			return nil, err
		}
		if err := m.decideDevice(text, &list[i]); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// decide fills in the defaults that the file's reader doesn't know.
func (v *ConfigValue) decide(name string) error {
	switch {
	case v.Text != "":
	case v.Key == "hostname":
		v.Value, v.Text = name, name
	case v.Key == "limits.pids":
		pids, err := limits.HostDefaultPids()
		if err != nil {
			return err
		}
		v.Value, v.Text = pids, fmt.Sprint(pids)
	}
	return nil
}

// decideDevice fills in the defaults of a device's node, as it gets them.
func (m *Manager) decideDevice(text *spec.Text, v *ConfigValue) error {
	entry, key, ok := strings.Cut(v.Key, "].")
	if !ok || v.Text != "" || !strings.HasPrefix(entry, "device[") {
		return nil
	}
	switch key {
	case "access":
		v.Text = spec.DeviceAccess
	case "mode":
		v.Text = spec.DeviceMode
	case "target":
		paths, err := m.layers().Values(text.Data, text.Name, entry+"].path")
		if err != nil {
			return as(ErrConfig, err)
		}
		for _, path := range paths {
			v.Text = path.Text
		}
	}
	if v.Text != "" {
		v.Value = v.Text
	}
	return nil
}

// ConfigText returns a guest's config.toml as it is. ErrConfig if it isn't a file that
// only root can have written.
func (m *Manager) ConfigText(name string) (text *spec.Text, err error) {
	if err := m.check(name); err != nil {
		return nil, err
	}
	err = m.inGuest(name, func(fd int) error {
		text, err = spec.LoadText(fd, m.dir(name))
		return as(ErrConfig, err)
	})
	return text, err
}

// ConfigDraft returns what somebody who edits a guest's config.toml begins with: its
// text, or that of a new guest if the file is missing. ReplaceConfig takes old.
func (m *Manager) ConfigDraft(name string) (old *spec.Text, draft []byte, err error) {
	old, err = m.ConfigText(name)
	if errors.Is(err, ErrConfig) && errors.Is(err, fs.ErrNotExist) {
		return spec.NoText(m.dir(name)), spec.Render(spec.Default()), nil
	}
	if err != nil {
		return nil, nil, err
	}
	return old, old.Data, nil
}

// inGuest does something with a descriptor of the guest's directory.
func (m *Manager) inGuest(name string, do func(fd int) error) error {
	fd, err := m.openDir(name)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return do(fd)
}

// SetConfig makes all of the changes in a guest's config.toml, or none: a value that
// can't be is ErrConfig, and the file stays as it is. Limits among them count in a guest that
// runs, also where SetCgroupFile has overruled them.
func (m *Manager) SetConfig(ctx context.Context, name string, changes []spec.Change) (change *ConfigChange, err error) {
	defer func() {
		if err == nil {
			m.syncIf(ctx, change.Keys)
		}
	}()
	err = m.withConfig(ctx, name, func(dir int) error {
		text, err := spec.LoadText(dir, m.dir(name))
		if err != nil {
			return as(ErrConfig, err)
		}
		data, err := m.layers().Edit(text.Data, text.Name, changes)
		if err != nil {
			return as(ErrConfig, err)
		}
		var named []string
		for _, c := range changes {
			named = append(named, c.Key)
		}
		change, err = m.replaceConfig(ctx, dir, name, text, data, named...)
		return err
	})
	return change, err
}

// ReplaceConfig puts a text that somebody edited in the place of the one that was
// read. ErrConfig if it is wrong, ErrLocked if the file isn't as it was read any more;
// in both cases it stays.
func (m *Manager) ReplaceConfig(ctx context.Context, name string, old *spec.Text, data []byte) (change *ConfigChange, err error) {
	defer func() {
		if err == nil {
			m.syncIf(ctx, change.Keys)
		}
	}()
	err = m.withConfig(ctx, name, func(dir int) error {
		change, err = m.replaceConfig(ctx, dir, name, old, data)
		return err
	})
	return change, err
}

// newFits says what a start of a new guest would say of its configuration.
func (m *Manager) newFits(name string, cfg *spec.Guest) error {
	if err := m.fitsOthers(name, spec.Default(), cfg); err != nil {
		return err
	}
	if err := errors.Join(m.fitsHost(cfg), m.canNest(name, cfg, idledger.Size)); err != nil {
		return err
	}
	m.warnOf(spec.Default(), cfg)
	return nil
}

// withConfig does something with the guest's directory under its lock.
func (m *Manager) withConfig(ctx context.Context, name string, do func(dir int) error) error {
	if err := m.check(name); err != nil {
		return err
	}
	lock, err := m.lock(ctx, name)
	if err != nil {
		return err
	}
	defer lock.Release()
	return m.inGuest(name, do)
}

// replaceConfig writes the new text, unless it is the old one, and has the limits in it
// count in a guest that runs: both or neither. Limits that were named count there even if the
// text is the old one: somebody may have written the kernel's files.
func (m *Manager) replaceConfig(ctx context.Context, dir int, name string, old *spec.Text, data []byte, named ...string) (*ConfigChange, error) {
	after, err := m.layers().Parse(data, old.Name)
	if err != nil {
		return nil, as(ErrConfig, err)
	}
	before, err := m.layers().Parse(old.Data, old.Name)
	if err != nil {
		before = spec.Default() // what was wrong is mended
	}
	// What a start would refuse is refused here, unless it was as wrong before.
	if err := m.fitsHost(after); err != nil && m.fitsHost(before) == nil {
		return nil, err
	}
	if id, err := m.identity(name); err == nil && !before.Nesting { // one that is broken is told of by a start
		if err := m.canNest(name, after, id.IDSize); err != nil {
			return nil, err
		}
	}
	if err := m.fitsOthers(name, before, after); err != nil {
		return nil, err
	}
	if err := m.fitsNetwork(ctx, name, before, after); err != nil {
		return nil, err
	}
	change := &ConfigChange{Keys: spec.Diff(before, after)}
	same := string(data) == string(old.Data)
	if same && len(named) == 0 {
		return change, nil
	}
	done, err := m.applyChanged(ctx, name, change, after, named)
	if err != nil || same {
		return change, err
	}
	if err := old.Replace(dir, data); err != nil {
		if errors.Is(err, spec.ErrChanged) {
			err = as(ErrLocked, err)
		}
		return nil, errors.Join(err, m.undo(ctx, done))
	}
	m.warnOf(before, after)
	return change, nil
}

package guest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/sysct/sysct/internal/atomicfile"
	"github.com/sysct/sysct/internal/systemd"
	"github.com/sysct/sysct/pkg/guest/autostart"
	"github.com/sysct/sysct/pkg/guest/spec"
)

// unitRunDir is where units and drop-ins of this boot of the host stand.
const unitRunDir = "/run/systemd/system"

// SyncUnits has systemd know what the guests' configurations say of their start and their
// stop. It is nothing where guests aren't units.
func (m *Manager) SyncUnits(ctx context.Context) error {
	if !m.units {
		return nil
	}
	// Whoever reads the configurations last also writes last.
	lock, err := m.lock(ctx, ".units")
	if err != nil {
		return err
	}
	defer lock.Release()
	all, err := m.autostarts(false)
	if err != nil {
		return err
	}
	linkErr := m.mirrorLinks(ctx, all)
	if all, err = m.Autostarts(); err != nil {
		return errors.Join(linkErr, err)
	}
	changed, err := syncDropIns(unitRunDir, autostart.Units(all, m.dirs.State))
	if err == nil && changed {
		err = m.withSystemd(ctx, func(conn *systemd.Conn) error { return conn.Reload(ctx) })
	}
	return errors.Join(linkErr, err)
}

// syncDropIns has a directory of units hold the drop-ins of ours that are wanted and no
// others, and says whether that changed anything.
func syncDropIns(dir string, want map[string]string) (bool, error) {
	changed := false
	for path, text := range want {
		path = filepath.Join(dir, path)
		if old, err := os.ReadFile(path); err == nil && string(old) == text {
			continue
		}
		changed = true
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return changed, fmt.Errorf("cannot write drop-in: %w", err)
		}
		if err := atomicfile.WritePath(path, []byte(text), 0o644); err != nil {
			return changed, fmt.Errorf("cannot write drop-in: %w", err)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return changed, fmt.Errorf("cannot look for drop-ins: %w", err)
	}
	for _, e := range entries {
		path := filepath.Join(e.Name(), autostart.DropIn)
		if _, wanted := want[path]; wanted || !autostart.IsOurs(e.Name()) {
			continue
		}
		err := os.Remove(filepath.Join(dir, path))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return changed, fmt.Errorf("cannot remove drop-in: %w", err)
		}
		changed = true
		_ = os.Remove(filepath.Join(dir, e.Name())) // an administrator may have more in it
	}
	return changed, nil
}

// StartUnits asks systemd for the start of guests, in the order of a plan, and of the
// delays after them. It doesn't wait: systemd has the order from SyncUnits. asked is
// called for each guest.
func (m *Manager) StartUnits(ctx context.Context, plan *autostart.Plan, asked func(name string)) error {
	conn, err := m.connectSystemd(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	var errs []error
	for _, n := range plan.Nodes {
		err := conn.Queue(ctx, UnitName(n.Name))
		if err == nil && n.Delay > 0 {
			err = conn.Queue(ctx, autostart.DelayUnit(n.Name))
		}
		if errs = append(errs, err); err == nil {
			asked(n.Name)
		}
	}
	return errors.Join(errs...)
}

// unitKeys are the keys that units are made of.
func unitKeys() []string { return []string{"autostart", "init.stop_timeout", "protect"} }

// syncIf is SyncUnits if keys that changed are among those that units are made of. What
// was done stays done if systemd can't be told: the host service tells it later.
func (m *Manager) syncIf(ctx context.Context, keys []string) {
	concerned := slices.ContainsFunc(keys, func(key string) bool {
		return slices.ContainsFunc(unitKeys(), func(table string) bool {
			return key == table || len(key) > len(table) && key[:len(table)+1] == table+"."
		})
	})
	if !m.units || !concerned {
		return
	}
	// A verb that is interrupted has made its change already.
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), unitPatience)
	defer cancel()
	if err := m.SyncUnits(bounded); err != nil {
		m.opt.Warn("systemd doesn't know of the change yet: " + oneLine(err) + "\nhint: systemctl reload sysct")
	}
}

// unitPatience bounds how long systemd may take to read its units.
const unitPatience = time.Minute

// syncNew is syncIf for a guest that is new by this name.
func (m *Manager) syncNew(ctx context.Context, name string) {
	if !m.units {
		return
	}
	if cfg, err := m.config(name); err == nil {
		m.syncIf(ctx, spec.Diff(spec.Default(), cfg))
	}
}

// syncGone takes away what systemd knows of a guest that has this name no more: its link,
// by which whatever gets the name next would be started, that it failed, and its drop-ins.
func (m *Manager) syncGone(ctx context.Context, name string) {
	if !m.units {
		return
	}
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), unitPatience)
	defer cancel()
	err := m.withSystemd(bounded, func(conn *systemd.Conn) error {
		err := conn.ResetFailed(bounded, UnitName(name))
		if linked(name) {
			err = errors.Join(err, conn.Disable(bounded, UnitName(name)))
		}
		return err
	})
	if err != nil {
		m.opt.Warn(oneLine(err) + "\nhint: systemctl disable " + UnitName(name))
	}
	noted, err := m.readMirror()
	_, dropIn := os.Lstat(filepath.Join(unitRunDir, UnitName(name)+".d", autostart.DropIn))
	if err != nil || dropIn == nil || slices.Contains(noted, name) {
		m.syncIf(ctx, unitKeys())
	}
}

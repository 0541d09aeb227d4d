package guest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/sysct/sysct/internal/atomicfile"
	"github.com/sysct/sysct/internal/systemd"
	"github.com/sysct/sysct/pkg/guest/autostart"
	"github.com/sysct/sysct/pkg/guest/spec"
)

// Where guests are units, the link of a unit says whether the guest starts with the host,
// so that systemctl enable and disable do what they do with others. A change of
// autostart.enabled makes or removes the link, once: which guests that was done for is
// noted in mirrorFile, beside the ledger of ids.
const mirrorFile = ".host/enabled.json"

// wantsDirs are where systemctl enable, and enable --runtime, put the link.
func wantsDirs() []string {
	return []string{"/etc/systemd/system/multi-user.target.wants", "/run/systemd/system/multi-user.target.wants"}
}

// linked says whether systemd starts the guest with the host.
func linked(name string) bool {
	return slices.ContainsFunc(wantsDirs(), func(dir string) bool {
		_, err := os.Lstat(filepath.Join(dir, UnitName(name)))
		return err == nil
	})
}

// Enable says that a guest is to be started with the host, or not any more. It starts
// and stops nothing. ErrState if its unit is masked: its configuration stays then.
func (m *Manager) Enable(ctx context.Context, name string, on bool) error {
	if on && m.units {
		if err := m.notMasked(ctx, name); err != nil {
			return err
		}
	}
	_, err := m.SetConfig(ctx, name, []spec.Change{{Key: "autostart.enabled", Value: strconv.FormatBool(on)}})
	if err != nil || !m.units {
		return err
	}
	conn, err := m.connectSystemd(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if on {
		return conn.Enable(ctx, UnitName(name))
	}
	return conn.Disable(ctx, UnitName(name))
}

// notMasked refuses what systemd would.
func (m *Manager) notMasked(ctx context.Context, name string) error {
	if err := m.check(name); err != nil {
		return err
	}
	return m.withSystemd(ctx, func(conn *systemd.Conn) error {
		masked, err := conn.Masked(ctx, UnitName(name))
		if err == nil && masked {
			err = maskedError(name)
		}
		return err
	})
}

func maskedError(name string) error {
	return stateError("its unit %s is masked, so systemd won't start it\nhint: systemctl unmask %s", UnitName(name), UnitName(name))
}

// mirror is what is to be done for the links to follow the configurations.
type mirror struct {
	enable, disable []string
}

// newMirror compares the guests' configurations with those that the links were made for. A
// guest that can't be read stays as it is; one that is gone has no link.
func newMirror(all []autostart.Guest, noted []string) mirror {
	var p mirror
	there := map[string]bool{}
	for i := range all {
		g := &all[i]
		there[g.Name] = true
		switch was := slices.Contains(noted, g.Name); {
		case g.Err != nil || g.Enabled == was:
		case g.Enabled:
			p.enable = append(p.enable, g.Name)
		default:
			p.disable = append(p.disable, g.Name)
		}
	}
	for _, name := range noted {
		if !there[name] {
			p.disable = append(p.disable, name)
		}
	}
	return p
}

// enabledNow says whether a guest starts with the host: by its link, or by its
// configuration, if no link was made for that yet.
func enabledNow(name string, configured, link bool, noted []string) bool {
	return link || configured && !slices.Contains(noted, name)
}

// mirrorLinks makes and removes links where autostart.enabled has changed. The lock of
// the units is held.
func (m *Manager) mirrorLinks(ctx context.Context, all []autostart.Guest) error {
	noted, err := m.readMirror()
	if err != nil {
		return err
	}
	p := newMirror(all, noted)
	if len(p.enable)+len(p.disable) == 0 {
		return nil
	}
	conn, err := m.connectSystemd(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	var errs []error
	follow := func(names []string, do func(context.Context, string) error, note func(string)) {
		for _, name := range names {
			err := do(ctx, UnitName(name))
			if errs = append(errs, err); err == nil {
				note(name)
			}
		}
	}
	follow(p.enable, conn.Enable, func(name string) { noted = append(noted, name) })
	follow(p.disable, conn.Disable, func(name string) {
		noted = slices.DeleteFunc(noted, func(other string) bool { return other == name })
	})
	return errors.Join(append(errs, m.writeMirror(noted))...)
}

func (m *Manager) readMirror() ([]string, error) {
	data, err := os.ReadFile(filepath.Join(m.dirs.State, mirrorFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var noted []string
	if err == nil {
		err = json.Unmarshal(data, &noted)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read which guests' units are enabled: %w", err)
	}
	return noted, nil
}

func (m *Manager) writeMirror(noted []string) error {
	slices.Sort(noted)
	path := filepath.Join(m.dirs.State, mirrorFile)
	data, err := json.Marshal(noted)
	if err == nil {
		err = privateDir(filepath.Dir(path))
	}
	if err == nil {
		err = atomicfile.WritePath(path, append(data, '\n'), 0o600)
	}
	if err != nil {
		return fmt.Errorf("cannot note which guests' units are enabled: %w", err)
	}
	return nil
}

// moveUnit gives what systemd knows of a guest to its new name.
func (m *Manager) moveUnit(ctx context.Context, from, to string) {
	if !m.units {
		return
	}
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), unitPatience)
	defer cancel()
	err := m.moveLink(bounded, from, to)
	if err != nil {
		m.opt.Warn(oneLine(err) + "\nhint: systemctl is-enabled " + UnitName(to))
	}
	m.syncGone(ctx, from)
	m.syncNew(ctx, to)
}

// moveLink enables the new name if the old one was, whoever has done that.
func (m *Manager) moveLink(ctx context.Context, from, to string) error {
	lock, err := m.lock(ctx, ".units")
	if err != nil {
		return err
	}
	defer lock.Release()
	noted, err := m.readMirror()
	if err != nil {
		return err
	}
	if i := slices.Index(noted, from); i >= 0 {
		noted[i] = to
		if err := m.writeMirror(slices.Compact(noted)); err != nil {
			return err
		}
	}
	if !linked(from) {
		return nil
	}
	return m.withSystemd(ctx, func(conn *systemd.Conn) error { return conn.Enable(ctx, UnitName(to)) })
}

// withSystemd does something by a connection of its own.
func (m *Manager) withSystemd(ctx context.Context, do func(*systemd.Conn) error) error {
	conn, err := m.connectSystemd(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	return do(conn)
}

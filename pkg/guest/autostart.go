package guest

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/guest/autostart"
	"github.com/sysct/sysct/pkg/guest/spec"
	"github.com/sysct/sysct/pkg/guest/state"
)

// Autostarts gives what the configurations of all guests say of their start, sorted by
// name. One that can't be read has Err set; it doesn't hide the others. Where guests are
// units, those are enabled whose units are.
func (m *Manager) Autostarts() ([]autostart.Guest, error) { return m.autostarts(m.units) }

func (m *Manager) autostarts(links bool) ([]autostart.Guest, error) {
	names, err := m.Names()
	if err != nil {
		return nil, err
	}
	list := make([]autostart.Guest, 0, len(names))
	for _, name := range names {
		cfg, err := m.config(name)
		switch {
		case err == nil:
			list = append(list, autostartOf(name, cfg))
		case !errors.Is(err, ErrNoGuest): // it was destroyed meanwhile
			list = append(list, autostart.Guest{Name: name, Err: err})
		}
	}
	if !links {
		return list, nil
	}
	noted, err := m.readMirror()
	for i := range list {
		list[i].Enabled = enabledNow(list[i].Name, list[i].Enabled, linked(list[i].Name), noted)
	}
	return list, err
}

func autostartOf(name string, cfg *spec.Guest) autostart.Guest {
	a := &cfg.Autostart
	return autostart.Guest{
		Name: name, Enabled: a.Enabled, Order: a.Order, Delay: time.Duration(a.Delay),
		Groups: a.Groups, After: a.After, Requires: a.Requires, StopTimeout: time.Duration(cfg.Init.StopTimeout + cfg.Hooks.EndTime()),
		Protected: slices.Contains(cfg.Protect, spec.ProtectStart),
	}
}

// fitsOthers refuses a configuration by which guests would wait for each other in a
// circle: ErrConfig. A required guest that isn't there may come yet: it is a warning.
func (m *Manager) fitsOthers(name string, before, after *spec.Guest) error {
	was, is := &before.Autostart, &after.Autostart
	if slices.Equal(was.After, is.After) && slices.Equal(was.Requires, is.Requires) {
		return nil
	}
	all, err := m.Autostarts()
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(g autostart.Guest) bool { return g.Name == name })
	all = append(all, autostartOf(name, after))
	if circle := autostart.Circle(all, name); circle != nil {
		key := "autostart.after"
		if slices.Contains(is.Requires, circle[1]) {
			key = "autostart.requires"
		}
		return as(ErrConfig, fmt.Errorf("%s: %w", key, autostart.CircleError(circle)))
	}
	for _, other := range is.Requires {
		if !slices.Contains(was.Requires, other) && !m.isGuest(other) {
			m.opt.Warn(fmt.Sprintf("autostart.requires: there is no guest %s yet", other))
		}
	}
	return nil
}

// HasRun says whether the guest runs or has run since the host's boot.
func (m *Manager) HasRun(name string) bool {
	boot, err := bootID()
	if err != nil {
		return false
	}
	fd, err := unix.Open(m.runDir(name), unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	run, err := state.ReadRun(fd)
	return err == nil && run.BootID == boot
}

// BootID tells this boot of the host from others.
func (m *Manager) BootID() (string, error) { return bootID() }

package guest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	sysctx "github.com/sysct/sysct/pkg/context"
	"github.com/sysct/sysct/pkg/guest/monitor"
	"github.com/sysct/sysct/pkg/guest/spec"
	"github.com/sysct/sysct/pkg/guest/state"
	"github.com/sysct/sysct/pkg/images/store"
)

// config reads the guest's config.toml. All that is wrong with it is ErrConfig.
func (m *Manager) config(name string) (*spec.Guest, error) {
	fd, err := m.openDir(name)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	cfg, err := m.layers().Load(fd, m.dir(name))
	return cfg, as(ErrConfig, err)
}

// monitorPlan is what the guest's monitor is told: the configuration and the
// identity, resolved. What its network takes of the host isn't chosen yet.
func (m *Manager) monitorPlan(name string) (*monitor.Plan, error) {
	id, err := m.identity(name)
	if err != nil {
		return nil, err
	}
	cfg, err := m.config(name)
	if err != nil {
		return nil, err
	}
	return m.planOf(name, cfg, id)
}

func (m *Manager) planOf(name string, cfg *spec.Guest, id *state.Identity) (*monitor.Plan, error) {
	if err := errors.Join(canBePrivileged(cfg), checkBackend(cfg, id), m.canNest(name, cfg, id.IDSize)); err != nil {
		return nil, err
	}
	net, err := m.networkKind(name, cfg)
	if err != nil {
		return nil, err
	}
	lim, err := m.guestLimits(cfg)
	if err != nil {
		return nil, err
	}
	layout, err := m.guestLayout(name, id)
	if err != nil {
		return nil, err
	}
	nodes, err := guestDevices(cfg)
	if err != nil {
		return nil, err
	}
	secrets, err := credentials(cfg)
	if err != nil {
		return nil, err
	}
	boot, err := bootID()
	if err != nil {
		return nil, err
	}
	// The last of all, so that doctor and why learn what else is wrong.
	if slices.Contains(cfg.Protect, spec.ProtectStart) {
		return nil, protectedFrom(name, spec.ProtectStart)
	}
	place := m.place(name)
	return &monitor.Plan{
		Name: name, Base: place.base, Group: place.group, ScopeCmd: m.scopeCommand(name), RunDir: m.dirs.Run, LogDir: m.dirs.Log, BootID: boot,
		Context: sysctx.Spec{
			Name: name, Hostname: hostname(cfg, name), MachineID: id.MachineID,
			IDs: idRange(cfg, id), Root: layout,
			Init: initCommand(cfg), Env: cfg.Env, Net: net, TTYs: cfg.Console.TTYs,
			Views: viewsOf(&cfg.Views), Pressure: cfg.Views.Enabled && cfg.Views.Pressure,
			Sysinfo: sysinfoOf(&cfg.Views),
			Nesting: cfg.Nesting, Devices: nodes,
			Hooks: m.hookPlan(name, m.dir(name), cfg), Credentials: secrets,
			Rlimits: rlimits(cfg), OOMScoreAdj: cfg.OOMScoreAdj,
		},
		Limits: lim, Ephemeral: cfg.Ephemeral, Restart: cfg.Restart, Halt: cfg.Init.Halt, ReadyCmd: cfg.Init.ReadyCmd,
		StopTimeout: time.Duration(cfg.Init.StopTimeout),
		LogSize:     int64(cfg.Console.LogSize), LogFiles: cfg.Console.LogFiles,
		Config: spec.Texts(cfg),
	}, nil
}

// guestLayout is a guest's storage. An overlay's image has to be there still.
func (m *Manager) guestLayout(name string, id *state.Identity) (store.Layout, error) {
	if id.Backend != store.Overlay {
		layout := m.layout(m.dir(name), id.Backend)
		layout.IDBase = id.IDBase
		return layout, nil
	}
	image, err := m.images.Open(context.Background(), id.Image)
	if err != nil {
		return store.Layout{}, as(ErrBroken, fmt.Errorf("its image is missing: %w", err))
	}
	defer image.Close()
	return m.layout(m.dir(name), id.Backend, m.lower(id.Layers, image.RootFS)...), nil
}

// show has a stopped guest's root at rootfs/ again, which a verb took off that failed.
func (m *Manager) show(name string) error {
	id, err := m.identity(name)
	if err != nil {
		return err
	}
	layout, err := m.guestLayout(name, id)
	if err != nil {
		return err
	}
	return store.MountPlain(layout)
}

// lower are the layers below a guest's own, the image at the bottom.
func (m *Manager) lower(layers []string, image string) []string {
	var paths []string
	for _, layer := range layers {
		paths = append(paths, store.LayerTree(m.layerDir(layer)))
	}
	return append(paths, image)
}

func hostname(cfg *spec.Guest, name string) string {
	if cfg.Hostname != "" {
		return cfg.Hostname
	}
	return name
}

// initCommand is nil for the default: then the other usual places are tried too.
func initCommand(cfg *spec.Guest) []string {
	if slices.Equal(cfg.Init.Cmd, spec.Default().Init.Cmd) {
		return nil
	}
	return cfg.Init.Cmd
}

// fitsHost says what of a configuration this host can't give: ErrConfig.
func (m *Manager) fitsHost(cfg *spec.Guest) error {
	if err := errors.Join(canBePrivileged(cfg), m.knowsNetworks(cfg)); err != nil {
		return err
	}
	if _, err := guestDevices(cfg); err != nil {
		return err
	}
	_, err := m.guestLimits(cfg)
	return err
}

// startFailure is the monitor's report of a failed start as an error.
func startFailure(f *monitor.Failure) error {
	cause := errors.New(strings.TrimSpace(f.Message))
	if f.Errno != 0 && unix.Errno(f.Errno).Error() == f.Message {
		cause = unix.Errno(f.Errno)
	}
	if f.Stopped {
		return as(ErrState, cause)
	}
	return &StartError{Step: f.Step, Call: f.Call, Path: f.Path, Err: cause, Console: f.Console}
}

package guest

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/sysct/sysct/pkg/guest/spec"
	"github.com/sysct/sysct/pkg/hooks"
	"github.com/sysct/sysct/pkg/images/store"
)

// hookPlan is the guest's hooks. dir is its directory.
func (m *Manager) hookPlan(name, dir string, cfg *spec.Guest) hooks.Plan {
	p := hooks.Plan{Timeout: time.Duration(cfg.Hooks.Timeout), ConfigFile: filepath.Join(dir, "config.toml"),
		ConsoleLog: filepath.Join(m.dirs.Log, name+".console.log")}
	for _, h := range cfg.Hooks.All() {
		if argv := h.Commands.Argv(); len(argv) > 0 {
			if p.Commands == nil {
				p.Commands = map[string][][]string{}
			}
			p.Commands[h.Name] = argv
		}
	}
	return p
}

// runHook runs a hook of a guest whose directory is dir and that doesn't run. What it
// prints is a warning each.
func (m *Manager) runHook(ctx context.Context, p *hooks.Plan, c hooks.Context, dir string) error {
	if !p.Has(c.Hook) {
		return nil
	}
	c.RootfsPath = filepath.Join(dir, "rootfs")
	c.RootfsMount = c.RootfsPath
	lines := make(chan string, 1000)
	runner := hooks.Runner{Plan: p, ID: fmt.Sprintf("%s@%d", dir, time.Now().UnixNano()), Guests: m.dirs.State, Say: func(line string) {
		select {
		case lines <- line:
		default: // more than anybody reads
		}
	}}
	err := runner.Run(ctx, c)
	close(lines)
	for line := range lines {
		m.opt.Warn(line)
	}
	return hookError(err)
}

// hookError words the failure of a hook as others are worded.
func hookError(err error) error {
	var failed *hooks.Error
	if !errors.As(err, &failed) {
		return err
	}
	return fmt.Errorf("cannot run the %s hook %s: %w\nhint: it is the guest's key %s", failed.Hook, failed.Path, failed.Err, hookKey(failed.Hook))
}

// hookKey is the key of the configuration for a hook.
func hookKey(hook string) string { return "hooks." + strings.ReplaceAll(hook, "-", "_") }

// badHook finds the first hook whose program the host would not run.
func (m *Manager) badHook(cfg *spec.Guest) *hooks.Error {
	for _, h := range cfg.Hooks.All() {
		if h.Name == hooks.Start {
			continue // a program of the guest
		}
		for _, argv := range h.Commands.Argv() {
			if err := hooks.Check(argv[0], m.dirs.State); err != nil {
				return &hooks.Error{Hook: h.Name, Path: argv[0], Err: err}
			}
		}
	}
	return nil
}

// destroyHook is run before anything of a guest is removed. One that fails keeps the
// guest; without a configuration that can be read there is none.
func (m *Manager) destroyHook(ctx context.Context, name string) error {
	cfg, err := m.config(name)
	if err != nil {
		m.opt.Warn("its destroy hook isn't known: " + oneLine(err))
		return nil
	}
	if len(cfg.Hooks.Destroy) == 0 {
		return nil
	}
	p := m.hookPlan(name, m.dir(name), cfg)
	c, err := m.hookContext(name, hooks.Destroy)
	if err != nil {
		return err
	}
	return m.runHook(ctx, &p, c, m.dir(name))
}

func (m *Manager) hookContext(name, hook string) (hooks.Context, error) {
	id, err := m.identity(name)
	if err != nil {
		return hooks.Context{}, err
	}
	return hooks.Context{Hook: hook, Name: name, IDBase: id.IDBase, IDSize: id.IDSize}, nil
}

// hook runs the clone's hook on what is complete but for its name.
func (c *cloning) hook() error {
	cfg, err := c.m.layers().Parse(c.text, c.m.dir(c.name)+"/config.toml")
	if err != nil {
		return err
	}
	if len(cfg.Hooks.Clone) == 0 {
		return nil
	}
	if err := store.MountPlain(c.layout); err != nil {
		return err
	}
	p := c.m.hookPlan(c.name, c.dir, cfg)
	context := hooks.Context{Hook: hooks.Clone, Name: c.name, Source: c.from, IDBase: c.ids.Base, IDSize: c.ids.Size}
	return c.m.runHook(c.ctx, &p, context, c.dir)
}

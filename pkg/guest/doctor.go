package guest

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"

	"github.com/sysct/sysct/internal/idledger"
	"github.com/sysct/sysct/pkg/doctor"
	"github.com/sysct/sysct/pkg/guest/state"
)

// Doctor examines the host and the named guests, or all of them if none is named.
// It changes nothing. ErrNoGuest if a name is no guest's.
func (m *Manager) Doctor(ctx context.Context, names []string) ([]doctor.Finding, error) {
	for _, name := range names {
		if err := m.check(name); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	all, err := m.Names()
	if err != nil {
		return nil, err
	}
	h, closeTrials := doctor.Look(doctor.Dirs{State: m.dirs.State, Cache: m.dirs.Cache, Run: m.dirs.Run, Log: m.dirs.Log})
	defer closeTrials()
	used, left, err := m.ledger.Count()
	h.IDs = doctor.IDs{Used: len(used), Free: left, Own: idledger.Configured(), Err: err}
	h.Guests = len(all)
	infos := m.census(ctx, h, all)
	h.Templates = m.buildable()
	h.Leftovers = func() ([]string, error) { return m.GC(ctx, GCOptions{DryRun: true}) }
	h.Network.Damaged = m.damagedNetworks(ctx)
	findings := doctor.Examine(h)
	if len(names) > 0 {
		all = slices.DeleteFunc(all, func(name string) bool { return !slices.Contains(names, name) })
	}
	patients := m.lookAtAll(ctx, all, infos, used)
	m.lookAtUnits(ctx, patients)
	for _, p := range patients {
		findings = append(findings, examineGuest(p)...)
	}
	return findings, ctx.Err()
}

// looks is how many guests are looked at at a time: one may take long to answer.
const looks = 8

// lookAtAll looks at guests, and gives what it saw in their order.
func (m *Manager) lookAtAll(ctx context.Context, names []string, infos map[string]*Info, used []idledger.Entry) []*patient {
	patients := make([]*patient, len(names))
	slots := make(chan struct{}, looks)
	var wg sync.WaitGroup
	for i, name := range names {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			patients[i] = m.look(ctx, infos[name], used)
		})
	}
	wg.Wait()
	// One that was destroyed meanwhile looked odd.
	return slices.DeleteFunc(patients, func(p *patient) bool { return !m.isGuest(p.name) })
}

// census looks at all guests, for what the host has to bear.
func (m *Manager) census(ctx context.Context, h *doctor.Host, names []string) map[string]*Info {
	infos := map[string]*Info{}
	list, err := m.List(ctx, ListOptions{})
	for i := range list {
		infos[list[i].Name] = &list[i]
	}
	h.Helpers.Current, _ = m.helper()
	for _, name := range names {
		if infos[name] == nil { // it came since, or there are no control groups
			info := m.stored(name)
			if err != nil && info.Error == nil {
				info.broken(err)
			}
			infos[name] = &info
		}
		if info := infos[name]; info.State != state.Stopped {
			h.Running++
			h.PidsSum += m.pidsOf(name)
			if info.MonitorPid != nil && isOther(*info.MonitorPid, h.Helpers.Current) {
				h.Helpers.Other = append(h.Helpers.Other, name)
			}
		}
	}
	return infos
}

// pidsOf is how many processes a guest may have.
func (m *Manager) pidsOf(name string) int64 {
	cfg, err := m.config(name)
	if err != nil {
		return 0
	}
	lim, err := m.guestLimits(cfg)
	if err != nil || lim.Pids == nil {
		return 0
	}
	return *lim.Pids
}

// isOther tells whether a monitor runs another program than the helper at path.
func isOther(pid int, path string) bool {
	mine, err := os.Stat(path)
	if err != nil {
		return false
	}
	its, err := os.Stat("/proc/" + strconv.Itoa(pid) + "/exe")
	return err == nil && !os.SameFile(mine, its)
}

// buildable tries for every template whether an image could be built.
func (m *Manager) buildable() []doctor.Template {
	list, err := m.Templates()
	var all []doctor.Template
	for i := range list {
		all = append(all, doctor.Template{Name: list[i].Name, Err: m.images.CanBuild(&list[i])})
	}
	if err != nil {
		all = append(all, doctor.Template{Name: "a file of " + fmt.Sprint(m.opt.TemplateDirs), Err: err})
	}
	return all
}

// imageThere says whether the image of an overlay guest is there.
func (m *Manager) imageThere(ctx context.Context, id *state.Identity) error {
	image, err := m.images.Open(ctx, id.Image)
	if err != nil {
		return err
	}
	return image.Close()
}

// layersThere says whether the layers that a guest shares are there.
func (m *Manager) layersThere(id *state.Identity) error {
	for _, layer := range id.Layers {
		if _, err := os.Stat(m.layerDir(layer)); err != nil {
			return fmt.Errorf("a layer that it shares with a clone is missing: %w", err)
		}
	}
	return nil
}

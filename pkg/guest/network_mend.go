package guest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"

	sysctx "github.com/sysct/sysct/pkg/context"
	"github.com/sysct/sysct/pkg/doctor"
	"github.com/sysct/sysct/pkg/guest/state"
	"github.com/sysct/sysct/pkg/vnet"
	"github.com/sysct/sysct/pkg/vnet/publish"
)

// MendNetwork makes anew what is gone of a running guest's network: its interfaces, their
// places on bridges, what belongs to them on the host. The guest isn't touched otherwise, and
// has the same addresses. It says which interfaces were mended. ErrState: the guest doesn't
// run.
func (m *Manager) MendNetwork(ctx context.Context, name string) ([]string, error) {
	if err := m.check(name); err != nil {
		return nil, err
	}
	lock, err := m.lock(ctx, name)
	if err != nil {
		return nil, err
	}
	defer lock.Release()
	run, err := m.status(ctx, name)
	if err != nil {
		return nil, callError(err)
	}
	if run == nil || run.Pid <= 1 || run.State == state.Starting || run.State == state.Stopped {
		return nil, stateError("it is not running")
	}
	plan, err := m.runningPlan(ctx, name)
	if err != nil {
		return nil, err
	}
	its := &plan.Context.Net
	if its.Program == "" {
		return nil, nil
	}
	// The program that it was started by may be an older one, which doesn't know how.
	if its.Program, err = m.netProgram(); err != nil {
		return nil, err
	}
	said, err := sysctx.RunNetwork(its, "mend", its.Setup, fmt.Appendf(nil, "pid %d", run.Pid))
	if err != nil {
		return nil, fmt.Errorf("cannot mend its network: %w", err)
	}
	var mended []string
	for line := range strings.Lines(said) {
		if names, ok := strings.CutPrefix(line, "mended "); ok {
			mended = append(mended, strings.Fields(names)...)
		} else if text, ok := strings.CutPrefix(line, "warning: "); ok {
			m.opt.Warn(name + ": " + strings.TrimSpace(text))
		}
	}
	return mended, nil
}

// mendNetworks is MendNetwork for the guests that run and lack something. It says what that
// was, a line each.
func (m *Manager) mendNetworks(ctx context.Context) (lines []string, err error) {
	names, err := m.lackingLinks(ctx)
	if err != nil {
		return nil, err
	}
	lost := slices.DeleteFunc(publish.LostRelays(m.dirs.Run), func(name string) bool {
		running, err := m.populated(name)
		return err != nil || !running
	})
	for _, name := range lost {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	var errs []error
	for _, name := range names {
		list, err := m.MendNetwork(ctx, name)
		if err != nil && !errors.Is(err, ErrState) {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
		}
		for _, iface := range list {
			lines = append(lines, fmt.Sprintf("%s: interface %s", name, iface))
		}
		if err == nil && slices.Contains(lost, name) {
			lines = append(lines, name+": relay of published ports")
		}
	}
	return lines, errors.Join(errs...)
}

// lackingLinks are the guests that run, and whose host's side of an interface isn't there,
// isn't where it belongs or is down, on a network that is up. It asks the kernel once, and a
// monitor only of what lacks.
func (m *Manager) lackingLinks(ctx context.Context) ([]string, error) {
	all, err := m.networks().List(ctx)
	if err != nil {
		return nil, err
	}
	if err := m.addLacking(ctx, all); err != nil {
		return nil, err
	}
	var lacking []string
	for i := range all {
		for _, lease := range all[i].Lacking {
			if !slices.Contains(lacking, lease.Guest) {
				lacking = append(lacking, lease.Guest)
			}
		}
	}
	return lacking, nil
}

// addLacking adds to networks that are up what guests that run lack on them.
func (m *Manager) addLacking(ctx context.Context, all []Network) error {
	if !slices.ContainsFunc(all, func(n Network) bool { return n.Up && len(n.Leases) > 0 }) {
		return nil
	}
	links, err := netlink.LinkList()
	if err != nil {
		return fmt.Errorf("cannot list links: %w", err)
	}
	attrs := map[string]*netlink.LinkAttrs{}
	for _, l := range links {
		attrs[l.Attrs().Name] = l.Attrs()
	}
	runs := map[string]bool{}
	for i := range all {
		n := &all[i]
		if !n.Up {
			continue
		}
		bridge := attrs[n.Device]
		for _, lease := range n.Leases {
			host := attrs[vnet.HostName(m.tag, lease.Guest, lease.Interface)]
			if host != nil && bridge != nil && host.MasterIndex == bridge.Index && host.Flags&net.FlagUp != 0 {
				continue
			}
			if _, known := runs[lease.Guest]; !known {
				runs[lease.Guest] = m.hasStarted(ctx, lease.Guest)
			}
			if runs[lease.Guest] {
				n.Lacking = append(n.Lacking, lease)
				n.Lacks = append(n.Lacks, fmt.Sprintf("interface %s of %s", lease.Interface, lease.Guest))
			}
		}
	}
	return nil
}

// hasStarted says that a guest runs, and is neither beginning nor ending to: its interfaces
// have to be there.
func (m *Manager) hasStarted(ctx context.Context, name string) bool {
	if populated, err := m.populated(name); err != nil || !populated {
		return false
	}
	run, err := m.status(ctx, name)
	return err == nil && run != nil && run.Pid > 1 && run.State != state.Starting && run.State != state.Stopping && run.State != state.Stopped
}

// damagedNetworks are those that are up and lack something, and those that are refused.
func (m *Manager) damagedNetworks(ctx context.Context) []doctor.Damage {
	all, err := m.Networks(ctx)
	if err != nil {
		return []doctor.Damage{{Found: err.Error()}}
	}
	var list []doctor.Damage
	for i := range all {
		switch n := &all[i]; {
		case strings.Contains(n.Error, " is damaged: "):
			list = append(list, doctor.Damage{Found: "network " + n.Name + ": " + n.Error, Mend: "sysct net repair"})
		case n.Error != "":
			list = append(list, doctor.Damage{Found: "network " + n.Name + ": " + n.Error, Mend: "sysct net up " + n.Name + ", which says what to do"})
		case n.Up && len(n.Lacks) > 0:
			list = append(list, doctor.Damage{Found: "network " + n.Name + " lacks " + strings.Join(n.Lacks, ", "), Mend: "sysct net repair"})
		}
	}
	return list
}

package guest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"

	sysctx "github.com/sysct/sysct/pkg/context"
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
	net := &plan.Context.Net
	if net.Program == "" {
		return nil, nil
	}
	// The program that it was started by may be an older one, which doesn't know how.
	if net.Program, err = m.netProgram(); err != nil {
		return nil, err
	}
	said, err := sysctx.RunNetwork(net, "mend", net.Setup, fmt.Appendf(nil, "pid %d", run.Pid))
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

// lackingLinks are the guests that run, and whose host's side of an interface isn't there or
// isn't where it belongs. It asks the kernel once, and no monitor.
func (m *Manager) lackingLinks(ctx context.Context) ([]string, error) {
	all, err := m.networks().List(ctx)
	if err != nil {
		return nil, err
	}
	links, err := netlink.LinkList()
	if err != nil {
		return nil, fmt.Errorf("cannot list links: %w", err)
	}
	master := map[string]int{}
	index := map[string]int{}
	for _, l := range links {
		index[l.Attrs().Name] = l.Attrs().Index
		master[l.Attrs().Name] = l.Attrs().MasterIndex
	}
	var lacking []string
	for _, n := range all {
		for _, lease := range n.Leases {
			at, there := master[vnet.HostName(m.tag, lease.Guest, lease.Interface)]
			if there && at == index[n.Device] || slices.Contains(lacking, lease.Guest) {
				continue
			}
			if running, err := m.populated(lease.Guest); err == nil && running {
				lacking = append(lacking, lease.Guest)
			}
		}
	}
	return lacking, nil
}

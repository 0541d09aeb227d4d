package guest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/sysct/sysct/internal/idledger"
	"github.com/sysct/sysct/pkg/guest/control"
	"github.com/sysct/sysct/pkg/guest/spec"
	"github.com/sysct/sysct/pkg/vnet"
	"github.com/sysct/sysct/pkg/vnet/networks"
	"github.com/sysct/sysct/pkg/vnet/nft"
)

// Network is what is known of a network.
type Network = networks.Info

// ErrNoNetwork is a network that there is none of; the error has the nearest name.
var ErrNoNetwork = networks.ErrNoNetwork

// networks are those of the instance.
func (m *Manager) networks() *networks.Store {
	return &networks.Store{Tag: m.tag, StateDir: m.dirs.State, RunDir: m.dirs.Run, Dir: m.dirs.Networks,
		HostDir: idledger.DefaultDir, Units: m.units, Warn: m.opt.Warn}
}

// networkError gives an error of a network the kind that callers of this package know.
func networkError(err error) error {
	switch {
	case errors.Is(err, networks.ErrBusy):
		return as(ErrLocked, err)
	case errors.Is(err, networks.ErrConfig):
		return as(ErrConfig, err)
	case errors.Is(err, fs.ErrExist):
		return as(ErrExists, err)
	}
	return err
}

// Networks gives all networks, sorted by name. One whose file is refused has its Error set;
// it doesn't hide the others.
func (m *Manager) Networks(ctx context.Context) ([]Network, error) {
	list, err := m.networks().List(ctx)
	if err == nil {
		err = m.addLacking(ctx, list)
	}
	return list, networkError(err)
}

// NetworkNames are the names of all networks, sorted.
func (m *Manager) NetworkNames() ([]string, error) { return m.networks().Names() }

// Network gives one network: ErrNoNetwork if there is none.
func (m *Manager) Network(ctx context.Context, name string) (*Network, error) {
	n, err := m.networks().Show(ctx, name)
	if err != nil {
		return nil, networkError(err)
	}
	one := []Network{*n}
	err = m.addLacking(ctx, one)
	return &one[0], err
}

// NetworkUp brings a network up, or what lacks of it, as the first guest on it does when it
// starts.
func (m *Manager) NetworkUp(ctx context.Context, name string) error {
	store := m.networks()
	n, err := store.Resolve(ctx, name)
	if err == nil {
		err = store.Up(ctx, n)
	}
	return networkError(err)
}

// NetworkDown takes a network off the host: ErrLocked if guests that run are on it, unless
// forced. Their addresses are kept.
func (m *Manager) NetworkDown(ctx context.Context, name string, force bool) error {
	return networkError(m.networks().Down(ctx, name, force))
}

// NetworksDown is NetworkDown for all that are up.
func (m *Manager) NetworksDown(ctx context.Context, force bool) error {
	return networkError(m.networks().DownAll(ctx, force))
}

// NetworkCreate makes a network: its file, and the choice of its subnets. ErrExists if there
// is one.
func (m *Manager) NetworkCreate(ctx context.Context, name string, def *spec.Network) error {
	_, err := m.networks().Create(ctx, name, def)
	return networkError(err)
}

// NetworkRemove takes a network down and removes it: ErrLocked if guests' configurations name
// it, or if guests that run are on it and it isn't forced. The default network is only taken
// down.
func (m *Manager) NetworkRemove(ctx context.Context, name string, force bool) error {
	if name != spec.DefaultNetwork {
		users, err := m.networkUsers(name)
		if err != nil {
			return err
		}
		if len(users) > 0 {
			return as(ErrLocked, fmt.Errorf("configurations of guests name network %s: %s\nhint: sysct set %s net[0].network=%s", name, strings.Join(users, ", "), users[0], spec.DefaultNetwork))
		}
	}
	return networkError(m.networks().Remove(ctx, name, force))
}

// networkUsers are the guests whose configuration has an interface on a network. One that
// can't be read has none that could be known.
func (m *Manager) networkUsers(name string) ([]string, error) {
	names, err := m.Names()
	if err != nil {
		return nil, err
	}
	var users []string
	for _, guest := range names {
		cfg, err := m.config(guest)
		if err == nil && slices.Contains(networksOf(cfg), name) {
			users = append(users, guest)
		}
	}
	return users, nil
}

// networksOf are the networks that a configuration has interfaces on.
func networksOf(cfg *spec.Guest) []string {
	var names []string
	for i := range cfg.Net {
		n := &cfg.Net[i]
		if n.Kind() != spec.NetBridge || n.Parent != "" {
			continue
		}
		name := n.Network
		if name == "" {
			name = spec.DefaultNetwork
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// NetworkRepair brings back what lacks on the host of networks that are up: bridges,
// addresses, rules, dnsmasq, and then the interfaces of guests that run. It says what that
// was, a line each.
func (m *Manager) NetworkRepair(ctx context.Context) ([]string, error) {
	store := m.networks()
	ledger, damage := store.RepairLedger(ctx, func() ([]networks.Held, error) { return m.heldAddresses(ctx) })
	subnets, hostDamage := store.RepairHost(ctx)
	lines, err := store.Repair(ctx)
	err = errors.Join(err, m.prunePublished(ctx))
	mended, other := m.mendNetworks(ctx)
	return slices.Concat(ledger, subnets, lines, mended), errors.Join(damage, hostDamage, networkError(err), other)
}

// heldAddresses are what guests that run have, asked of their monitors.
func (m *Manager) heldAddresses(ctx context.Context) ([]networks.Held, error) {
	names, err := m.Names()
	if err != nil {
		return nil, err
	}
	var all []networks.Held
	for _, name := range names {
		if running, err := m.populated(name); err == nil && !running {
			continue
		}
		plan, err := m.runningPlan(ctx, name)
		if errors.Is(err, ErrState) || errors.Is(err, control.ErrNoMonitor) {
			continue // it has ended meanwhile
		}
		if err != nil {
			return nil, fmt.Errorf("cannot learn which addresses %s has: %w", name, err)
		}
		s := &vnet.Setup{}
		if len(plan.Context.Net.Setup) == 0 {
			continue
		}
		if err := json.Unmarshal(plan.Context.Net.Setup, s); err != nil {
			return nil, err
		}
		for i := range s.Interfaces {
			if is := &s.Interfaces[i]; is.Network != "" || is.Type == vnet.TypeRouted {
				owner := networks.Owner{Guest: name, Interface: is.Name, MAC: is.MAC}
				all = append(all, networks.Held{Owner: owner, Network: is.Network, Addresses: is.Addresses})
			}
		}
	}
	return all, nil
}

// prunePublished takes back the ports of guests that ended with nobody to see it.
func (m *Manager) prunePublished(ctx context.Context) error {
	return nft.Prune(ctx, m.tag, m.dirs.Run, func(name string) bool {
		running, err := m.populated(name)
		return err != nil || running
	})
}

// NetworksStart brings up the networks of guests that are to start with the host, so that
// they needn't wait for them. A host that lacks the programs is said so by their start.
func (m *Manager) NetworksStart(ctx context.Context) error {
	all, err := m.Autostarts()
	if err != nil {
		return err
	}
	var names []string
	for _, g := range all {
		if !g.Enabled || g.Err != nil {
			continue
		}
		if cfg, err := m.config(g.Name); err == nil {
			names = append(names, networksOf(cfg)...)
		}
	}
	slices.Sort(names)
	var errs []error
	for _, name := range slices.Compact(names) {
		if err := m.NetworkUp(ctx, name); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// WatchNetworks calls changed whenever a link, an address or a route of the host has changed
// in a way that a network of the instance may have lost something by, until ctx ends.
func (m *Manager) WatchNetworks(ctx context.Context, changed func()) error {
	return m.networks().Watch(ctx, changed)
}

// forgetNetworks frees the addresses of a guest that is gone.
func (m *Manager) forgetNetworks(ctx context.Context, name string) error {
	return m.networks().Release(context.WithoutCancel(ctx), name)
}

// gcAddresses frees the addresses of guests that are gone.
func (m *Manager) gcAddresses(ctx context.Context, dry bool) ([]string, error) {
	names, err := m.networks().Owners()
	if err != nil {
		return nil, err
	}
	var removed []string
	var errs []error
	for _, name := range names {
		if m.isGuest(name) || (idledger.Entry{Guest: m.dir(name)}).Seen() {
			continue
		}
		done, err := m.unlessLocked(name, dry, func() error { return m.forgetNetworks(ctx, name) })
		errs = append(errs, err)
		if done {
			removed = append(removed, "addresses of "+name)
		}
	}
	return removed, errors.Join(errs...)
}

package networks

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/sysct/sysct/internal/atomicfile"
	"github.com/sysct/sysct/pkg/guest/spec"
	"github.com/sysct/sysct/pkg/vnet"
	"github.com/sysct/sysct/pkg/vnet/nft"
)

// Down takes all of a network off the host but its subnets and addresses, which are kept.
// ErrBusy if guests' interfaces are on its bridge, unless forced: they stay, with nothing at
// their other end. A network that isn't up is no error.
func (s *Store) Down(ctx context.Context, name string, force bool) error {
	n, err := s.known(name)
	if err != nil || n == nil {
		return err
	}
	lock, err := s.lock(ctx, name)
	if err != nil {
		return err
	}
	defer lock.Release()
	if users, err := s.Users(n); err != nil {
		return err
	} else if len(users) > 0 && !force {
		return as(ErrBusy, "network %s is in use by %s\nhint: stop %s first, or sysct net down -f %s", name, strings.Join(users, ", "), pronoun(len(users)), name)
	}
	d := &dns{s, n}
	return errors.Join(d.down(ctx), s.bridgeDown(n), nft.NetworkDown(ctx, s.Tag, s.RunDir, name))
}

// DownAll is Down for all networks that were brought up.
func (s *Store) DownAll(ctx context.Context, force bool) error {
	names, err := s.upNames()
	errs := []error{err}
	for _, name := range names {
		errs = append(errs, s.Down(ctx, name, force))
	}
	return errors.Join(errs...)
}

func pronoun(n int) string {
	if n == 1 {
		return "it"
	}
	return "them"
}

// known is a network by what it was brought up as, else by its definition with the subnets
// that it has; nil if it has none, so was never up.
func (s *Store) known(name string) (*vnet.Network, error) {
	if err := spec.CheckNetworkName(name); err != nil {
		return nil, as(ErrConfig, "%w", err)
	}
	n, err := s.upAs(name)
	if err != nil || n != nil {
		return n, err
	}
	def, err := s.Definition(name)
	if err != nil {
		return nil, err
	}
	return s.chosen(name, def)
}

// chosen is a network with the subnets that it has; nil if they aren't chosen yet.
func (s *Store) chosen(name string, def *spec.Network) (*vnet.Network, error) {
	f, err := s.readHost()
	if errors.Is(err, ErrDamaged) && s.had(&hostFile{}, name) != nil {
		f, err = &hostFile{}, nil // it is up, so nothing need be known of others
	}
	if err != nil {
		return nil, err
	}
	had := s.had(f, name)
	want := s.wanted(name, def, had)
	if had == nil || want.lacks() {
		return nil, nil
	}
	return s.network(name, def, subnet{want.IPv4, want.Auto4}, subnet{want.IPv6, want.Auto6}), nil
}

// Users are the guests with an interface on a network's bridge, sorted.
func (s *Store) Users(n *vnet.Network) ([]string, error) {
	link, err := s.bridge(n)
	if err != nil || link == nil {
		return nil, err
	}
	list, err := ports(link.Attrs().Index)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, port := range list {
		if guest, _, ok := owner(s.Tag, port.Attrs().Alias); ok {
			names = append(names, guest)
		} else {
			names = append(names, "device "+port.Attrs().Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// owner reads the alias of a guest's interface.
func owner(tag, alias string) (guest, iface string, ok bool) {
	rest, ok := strings.CutPrefix(alias, vnet.AliasPrefix(tag)+"guest ")
	if !ok {
		return "", "", false
	}
	return strings.Cut(rest, " ")
}

// Create writes the definition of a new network. ErrExists is fs.ErrExist.
func (s *Store) Create(ctx context.Context, name string, def *spec.Network) (*vnet.Network, error) {
	if err := spec.CheckNetworkName(name); err != nil {
		return nil, as(ErrConfig, "%w", err)
	}
	if err := def.Check(); err != nil {
		return nil, as(ErrConfig, "%w", err)
	}
	if err := os.MkdirAll(s.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("cannot make directory of networks: %w", err)
	}
	if _, err := os.Lstat(s.path(name)); !errors.Is(err, fs.ErrNotExist) {
		return nil, as(fs.ErrExist, "network %s exists: %s\nhint: edit that file, then sysct net up %s", name, s.path(name), name)
	}
	if err := apartFromHost(def); err != nil {
		return nil, err
	}
	// First, so that a subnet that another network has leaves no file.
	v4, v6, err := s.subnets(ctx, name, def)
	if err != nil {
		return nil, err
	}
	if err := atomicfile.WritePath(s.path(name), spec.RenderNetwork(def), 0o644); err != nil {
		return nil, errors.Join(err, s.forget(ctx, name))
	}
	return s.network(name, def, v4, v6), nil
}

// apartFromHost refuses subnets that are written and that the host is in already: its own
// routes would lead to the bridge.
func apartFromHost(def *spec.Network) error {
	routes, err := hostRoutes()
	if err != nil {
		return err
	}
	for _, text := range []string{def.IPv4, def.IPv6} {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			continue // none, or one is chosen
		}
		if found := collisions(routes, 0, p); len(found) > 0 {
			return as(ErrConfig, "cannot use subnet %s: the host has a route for a part of it already: %s", p.Masked(), found[0])
		}
	}
	return nil
}

// Remove takes a network down and forgets it. The default network stays, as one without a
// file of its own.
func (s *Store) Remove(ctx context.Context, name string, force bool) error {
	if _, err := s.Definition(name); err != nil && !errors.Is(err, ErrConfig) {
		return err
	}
	if err := s.Down(ctx, name, force); err != nil {
		return err
	}
	if name == spec.DefaultNetwork {
		return nil
	}
	if err := os.Remove(s.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot remove network %s: %w", name, err)
	}
	err := s.changeLedger(ctx, func(l *ledger) error {
		l.Entries = slices.DeleteFunc(l.Entries, func(e entry) bool { return e.Network == name })
		return nil
	})
	return errors.Join(err, s.forget(ctx, name))
}

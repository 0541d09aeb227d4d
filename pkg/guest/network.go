package guest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"

	"github.com/sysct/sysct/pkg/guest/monitor"
	"github.com/sysct/sysct/pkg/guest/spec"
	"github.com/sysct/sysct/pkg/guest/state"
	"github.com/sysct/sysct/pkg/vnet"
	"github.com/sysct/sysct/pkg/vnet/networks"
	"github.com/sysct/sysct/pkg/vnet/space"
)

// networkKind is the network of a guest as far as its configuration says it. The rest, which
// takes addresses, is put in by planNetwork.
func (m *Manager) networkKind(name string, cfg *spec.Guest) (space.Plan, error) {
	switch {
	case cfg.Share.Net == name:
		return space.Plan{}, as(ErrConfig, errors.New("share.net: it is this guest itself"))
	case cfg.Share.Net != "" && !m.isGuest(cfg.Share.Net):
		return space.Plan{}, as(ErrConfig, fmt.Errorf("share.net: %w", m.noGuest(cfg.Share.Net)))
	case cfg.Share.Net != "":
		return space.Plan{Share: cfg.Share.Net}, nil
	case len(cfg.Net) == 1 && cfg.Net[0].Kind() == spec.NetHost:
		return space.HostNetwork(), nil
	}
	return space.Alone(), nil
}

// planNetwork chooses all that the guest's network needs, and puts it into its plan.
func (m *Manager) planNetwork(ctx context.Context, plan *monitor.Plan, cfg *spec.Guest, id *state.Identity) error {
	net := &plan.Context.Net
	if !net.Private || !hasInterfaces(cfg) {
		plan.Context.Resolv = m.othersResolv(ctx, net, cfg)
		return nil
	}
	setup, err := m.networkSetup(ctx, plan.Name, cfg, id)
	if err != nil {
		return err
	}
	if net.Program, err = m.netProgram(); err != nil {
		return err
	}
	if plan.Context.Resolv = resolvConf(setup, cfg); plan.Context.Resolv == "" {
		plan.Context.Resolv = hostResolv(cfg, false)
	}
	net.Setup, err = json.Marshal(setup)
	return err
}

// leaveNetworks frees the addresses of interfaces that a guest has no more.
func (m *Manager) leaveNetworks(ctx context.Context, plan *space.Plan, name string) error {
	s := &vnet.Setup{}
	if len(plan.Setup) > 0 {
		if err := json.Unmarshal(plan.Setup, s); err != nil {
			return err
		}
	}
	keep := []string{}
	for _, i := range s.Interfaces {
		if i.Network != "" || i.Type == vnet.TypeRouted {
			keep = append(keep, i.Name)
		}
	}
	return networkError(m.networks().Leave(ctx, name, keep))
}

func hasInterfaces(cfg *spec.Guest) bool {
	return slices.ContainsFunc(cfg.Net, func(n spec.Net) bool { return n.Kind() != spec.NetNone && n.Kind() != spec.NetHost })
}

// networkSetup chooses all that the guest's interfaces need: names, addresses, gateways. What
// is chosen is kept until the guest is destroyed. It makes no link.
func (m *Manager) networkSetup(ctx context.Context, name string, cfg *spec.Guest, id *state.Identity) (*vnet.Setup, error) {
	s := &vnet.Setup{Tag: m.tag, Guest: name, StateDir: m.dirs.State, RunDir: m.dirs.Run, NetsDir: m.dirs.Networks, HostDir: m.ledger.Dir, Units: m.units}
	gateways := false // an interface has default routes already
	for i := range cfg.Net {
		n := &cfg.Net[i]
		if n.Kind() == spec.NetNone {
			continue
		}
		is, err := m.networkInterface(ctx, s, n, i, id, !gateways)
		if err != nil {
			return nil, fmt.Errorf("net[%d]: %w", i, networkError(err))
		}
		if err := fitsMTU(is, s); err != nil {
			return nil, fmt.Errorf("net[%d].mtu: %w", i, err)
		}
		gateways = gateways || len(is.Gateways) > 0
		s.Interfaces = append(s.Interfaces, *is)
	}
	publishes(s, cfg)
	return s, nil
}

// fitsMTU refuses packets that are too small for IPv6, whose addresses the kernel takes away
// then, or that are larger than the network carries.
func fitsMTU(is *vnet.Interface, s *vnet.Setup) error {
	if is.MTU == 0 {
		return nil
	}
	const leastOfIPv6 = 1280 // RFC 8200
	if is.MTU < leastOfIPv6 && slices.ContainsFunc(is.Addresses, func(p netip.Prefix) bool { return p.Addr().Is6() }) {
		return as(ErrConfig, fmt.Errorf("%d is too little for IPv6, which the interface has: the least is %d", is.MTU, leastOfIPv6))
	}
	for _, n := range s.Networks {
		most := n.MTU
		if most == 0 {
			most = 1500
		}
		if n.Name == is.Network && is.MTU > most {
			return as(ErrConfig, fmt.Errorf("%d is too much: network %s carries %d\nhint: mtu in its file", is.MTU, n.Name, most))
		}
	}
	return nil
}

// fitsNetwork says of a guest that doesn't run whether the host can give it the network that
// it is to have. What isn't about the network isn't looked at.
func (m *Manager) fitsNetwork(ctx context.Context, name string, before, after *spec.Guest) error {
	same := reflect.DeepEqual(before.Net, after.Net) && reflect.DeepEqual(before.Publish, after.Publish)
	if same || !hasInterfaces(after) {
		return nil
	}
	if running, err := m.populated(name); err != nil || running {
		return err // what changes it says so itself
	}
	id, err := m.identity(name)
	if err != nil {
		return nil // a start says what is wrong
	}
	_, err = m.networkSetup(ctx, name, after, id)
	return err
}

// networkInterface chooses one interface.
func (m *Manager) networkInterface(ctx context.Context, s *vnet.Setup, n *spec.Net, i int, id *state.Identity, first bool) (*vnet.Interface, error) {
	is := &vnet.Interface{Name: n.IfName(i), Type: n.Kind(), Parent: n.Parent, Mode: n.Mode, MAC: n.MAC, Down: !n.IsUp(),
		Filter: n.Filtered(), Isolate: n.Isolate}
	if n.MTU != nil {
		is.MTU = *n.MTU
	}
	if n.VLAN != nil {
		is.VLAN = *n.VLAN
	}
	if n.Limits.Ingress != nil {
		is.Ingress = uint64(*n.Limits.Ingress)
	}
	if n.Limits.Egress != nil {
		is.Egress = uint64(*n.Limits.Egress)
	}
	if is.MAC == "" && is.Type != vnet.TypePhys && is.Type != vnet.TypeIpvlan {
		is.MAC = guestMAC(id, is.Name)
	}
	for _, text := range slices.Concat(n.IPv4, n.IPv6) {
		p, err := spec.ParseAddress(text)
		if err != nil {
			return nil, err
		}
		is.Addresses = append(is.Addresses, p)
	}
	var auto []netip.Addr
	var err error
	switch is.Type {
	case vnet.TypeBridge:
		is.Host = vnet.HostName(s.Tag, s.Guest, is.Name)
		if n.Parent != "" {
			is.Bridge, is.Parent = n.Parent, ""
			auto = bridgeGateways(is.Bridge, is.Addresses)
			break
		}
		auto, err = m.onNetwork(ctx, s, is, n)
	case vnet.TypeRouted:
		is.Host = vnet.HostName(s.Tag, s.Guest, is.Name)
		is.Parent = routedParent(n.Parent)
		auto = routedGateways(is.Addresses)
		err = m.networks().Routed(ctx, networks.Owner{Guest: s.Guest, Interface: is.Name, MAC: is.MAC}, is.Addresses)
	}
	if err != nil {
		return nil, err
	}
	is.Gateways, err = gatewaysOf(n, auto, first)
	return is, err
}

// onNetwork puts an interface on one of sysct's networks.
func (m *Manager) onNetwork(ctx context.Context, s *vnet.Setup, is *vnet.Interface, n *spec.Net) (gateways []netip.Addr, err error) {
	is.Network = n.Network
	if is.Network == "" {
		is.Network = spec.DefaultNetwork
	}
	store := m.networks()
	net, err := store.Resolve(ctx, is.Network)
	if err != nil {
		return nil, err
	}
	is.Bridge = net.Device
	is.Isolate = is.Isolate || net.Isolate
	// An address without a length is one of the network's.
	for i, p := range is.Addresses {
		if of := networkPrefix(net, p.Addr()); p.IsSingleIP() && of.IsValid() && of.Masked().Contains(p.Addr()) {
			is.Addresses[i] = netip.PrefixFrom(p.Addr(), of.Bits())
		}
	}
	owner := networks.Owner{Guest: s.Guest, Interface: is.Name, MAC: is.MAC}
	if is.Addresses, err = store.Addresses(ctx, net, owner, is.Addresses); err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(s.Networks, func(o vnet.Network) bool { return o.Name == net.Name }) {
		s.Networks = append(s.Networks, *net)
	}
	if net.IPv4.IsValid() {
		gateways = append(gateways, net.IPv4.Addr())
	}
	if net.IPv6.IsValid() {
		gateways = append(gateways, vnet.RoutedGateway6())
	}
	return gateways, nil
}

func networkPrefix(n *vnet.Network, a netip.Addr) netip.Prefix {
	if a.Is4() {
		return n.IPv4
	}
	return n.IPv6
}

// publishes has ports lead to the guest's first addresses.
func publishes(s *vnet.Setup, cfg *spec.Guest) {
	var four, six netip.Addr
	for _, i := range s.Interfaces {
		if i.Type != vnet.TypeBridge && i.Type != vnet.TypeRouted {
			continue
		}
		for _, p := range i.Addresses {
			if a := p.Addr(); a.Is4() && !four.IsValid() {
				four = a
			} else if a.Is6() && !a.IsLinkLocalUnicast() && !six.IsValid() {
				six = a
			}
		}
	}
	for i := range cfg.Publish {
		p := &cfg.Publish[i]
		proto, port, to := p.Wire()
		address, _ := netip.ParseAddr(p.Address)
		s.Publish = append(s.Publish, vnet.Publish{Proto: proto, Address: address, Port: port, Guest4: four, Guest6: six, To: to, Loopback: p.Loopback})
	}
}

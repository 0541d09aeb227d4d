package networks

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"

	"github.com/sysct/sysct/pkg/vnet"
)

// routedNetwork is the name in the ledger of what interfaces have that are on no network.
const routedNetwork = ""

// Routed keeps the addresses of an interface that the host routes to, which are all written
// by a user. ErrConfig is one that another interface has, or the host itself.
func (s *Store) Routed(ctx context.Context, o Owner, addresses []netip.Prefix) error {
	own, err := hostAddresses()
	if err != nil {
		return err
	}
	for _, p := range addresses {
		switch link, is := own[p.Addr()]; {
		case p.Addr() == vnet.RoutedGateway4() || p.Addr() == vnet.RoutedGateway6():
			return as(ErrConfig, "cannot have %s: it is the host's own on the link to the guest", p.Addr())
		case is:
			return as(ErrConfig, "cannot have %s: it is the host's own (%s)", p.Addr(), link)
		}
	}
	_, err = s.keep(ctx, routedNetwork, o, func(l *ledger) (entry, error) { return l.giveRouted(o, addresses) })
	return err
}

// giveRouted makes the entry of a routed interface, which is on no network. All that others
// have is taken: the host has one route to an address.
func (l *ledger) giveRouted(o Owner, addresses []netip.Prefix) (entry, error) {
	e := entry{Network: routedNetwork, Guest: o.Guest, Interface: o.Interface, MAC: o.MAC, Addresses: addresses}
	others := make(map[netip.Addr]*entry)
	for i := range l.Entries {
		if old := &l.Entries[i]; !old.is(old.Network, o) {
			for _, p := range old.Addresses {
				others[p.Addr()] = old
			}
		}
	}
	for _, p := range addresses {
		if other := others[p.Addr()]; other != nil {
			return e, as(ErrConfig, "cannot have %s: it is guest %s's (%s)", p.Addr(), other.Guest, other.Interface)
		}
	}
	return e, nil
}

// hostAddresses are the host's own, with the names of their links. Those of one link alone
// are no other link's.
func hostAddresses() (map[netip.Addr]string, error) {
	list, err := retried(func() ([]netlink.Addr, error) { return netlink.AddrList(nil, netlink.FAMILY_ALL) })
	if err != nil {
		return nil, fmt.Errorf("cannot list the host's addresses: %w", err)
	}
	own := map[netip.Addr]string{}
	for i := range list {
		if a, ok := netip.AddrFromSlice(list[i].IP); ok && !a.Unmap().IsLinkLocalUnicast() {
			own[a.Unmap()] = linkName(list[i].LinkIndex)
		}
	}
	return own, nil
}

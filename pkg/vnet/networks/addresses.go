package networks

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/sysct/sysct/pkg/vnet"
)

// Addresses gives a guest's interface its addresses on a network, with the lengths of its
// subnets, IPv4 before IPv6: those that are wanted, if no other guest has them, and of a
// family of which none is wanted one that is free. They are kept until they are released,
// and the network's name server and DHCP server know them from now on. ErrConfig is an
// address that can't be, or a network that is full.
func (s *Store) Addresses(ctx context.Context, n *vnet.Network, o Owner, wanted []netip.Prefix) ([]netip.Prefix, error) {
	return s.keep(ctx, n.Name, o, func(l *ledger) (entry, error) { return l.give(n, o, wanted) })
}

// keep has the ledger keep what give makes of it for an interface on a network.
func (s *Store) keep(ctx context.Context, network string, o Owner, give func(*ledger) (entry, error)) ([]netip.Prefix, error) {
	l, err := s.readLedger()
	if err != nil {
		return nil, err
	}
	// Nearly always all is as it was, and nobody need be waited for.
	if e, err := give(l); err == nil && !l.stale && l.settled(network, o, e) {
		return e.Addresses, nil
	}
	var got entry
	err = s.changeLedger(ctx, func(l *ledger) error {
		var err error
		if got, err = give(l); err != nil {
			return err
		}
		l.leaveOthers(network, o)
		l.Entries = slices.DeleteFunc(l.Entries, func(e entry) bool { return e.is(network, o) })
		l.Entries = append(l.Entries, got)
		return nil
	})
	return got.Addresses, err
}

// settled says that the ledger has this entry already, and no other of the interface.
func (l *ledger) settled(network string, o Owner, e entry) bool {
	count, same := 0, false
	for i := range l.Entries {
		old := &l.Entries[i]
		if old.is(old.Network, o) {
			count++
			same = old.Network == network && old.MAC == e.MAC && slices.Equal(old.Addresses, e.Addresses)
		}
	}
	return same && count == 1
}

// give makes the entry of an interface, and changes nothing.
func (l *ledger) give(n *vnet.Network, o Owner, wanted []netip.Prefix) (entry, error) {
	e := entry{Network: n.Name, Guest: o.Guest, Interface: o.Interface, MAC: o.MAC}
	others := make(map[netip.Addr]*entry)
	var had []netip.Prefix
	for i := range l.Entries {
		old := &l.Entries[i]
		if old.is(n.Name, o) {
			had = old.Addresses
			continue
		}
		if old.Network != n.Name && (old.Network != routedNetwork || old.is(routedNetwork, o)) {
			continue
		}
		if old.Network == n.Name && o.MAC != "" && strings.EqualFold(old.MAC, o.MAC) && old.Guest != o.Guest {
			return e, as(ErrConfig, "cannot have hardware address %s on network %s: it is guest %s's (%s)", o.MAC, n.Name, old.Guest, old.Interface)
		}
		for _, p := range old.Addresses {
			if n.IPv4.Contains(p.Addr()) || n.IPv6.Contains(p.Addr()) {
				others[p.Addr()] = old
			}
		}
	}
	for _, p := range wanted {
		fixed, err := fix(n, p)
		if err != nil {
			return e, err
		}
		if other := others[fixed.Addr()]; other != nil {
			return e, as(ErrConfig, "cannot have %s on network %s: it is guest %s's (%s)", fixed.Addr(), n.Name, other.Guest, other.Interface)
		}
		e.Addresses = append(e.Addresses, fixed)
	}
	for _, own := range []netip.Prefix{n.IPv4, n.IPv6} {
		if !own.IsValid() || slices.ContainsFunc(e.Addresses, func(p netip.Prefix) bool { return p.Addr().Is4() == own.Addr().Is4() }) {
			continue
		}
		p, err := pick(n.Name, own, had, e.Addresses, others)
		if err != nil {
			return e, err
		}
		e.Addresses = append(e.Addresses, p)
	}
	slices.SortStableFunc(e.Addresses, func(a, b netip.Prefix) int { return a.Addr().BitLen() - b.Addr().BitLen() })
	return e, nil
}

// fix gives an address that was written the length of the network's subnet.
func fix(n *vnet.Network, p netip.Prefix) (netip.Prefix, error) {
	own := n.IPv4
	if p.Addr().Is6() {
		own = n.IPv6
	}
	a := p.Addr()
	switch {
	case !own.IsValid():
		return p, as(ErrConfig, "cannot have %s on network %s: it has no subnet of that family", a, n.Name)
	case !own.Contains(a) || p.Bits() != a.BitLen() && p.Bits() != own.Bits():
		return p, as(ErrConfig, "cannot have %s on network %s: its subnet is %s", p, n.Name, own.Masked())
	case !usable(own, a):
		return p, as(ErrConfig, "cannot have %s on network %s: it is the network's own", a, n.Name)
	}
	return netip.PrefixFrom(a, own.Bits()), nil
}

// usable says whether an address of the subnet can be a guest's: it is not the host's,
// nor the subnet's first or, in IPv4, its last.
func usable(own netip.Prefix, a netip.Addr) bool {
	return own.Contains(a) && a != own.Addr() && a != own.Masked().Addr() && (a.Is6() || own.Contains(a.Next()))
}

// pick is an address for an interface that wants none: what it had, for IPv6 the one with
// the digits of its IPv4 host number, else the lowest that is free.
func pick(network string, own netip.Prefix, had, got []netip.Prefix, others map[netip.Addr]*entry) (netip.Prefix, error) {
	free := func(a netip.Addr) bool { return usable(own, a) && others[a] == nil }
	for _, p := range had {
		if free(p.Addr()) {
			return netip.PrefixFrom(p.Addr(), own.Bits()), nil
		}
	}
	if own.Addr().Is6() && len(got) > 0 {
		if a := sameNumber(own, got[0]); free(a) {
			return netip.PrefixFrom(a, own.Bits()), nil
		}
	}
	first := own.Masked().Addr().Next()
	for a := first.Next(); own.Contains(a); a = a.Next() {
		if free(a) {
			return netip.PrefixFrom(a, own.Bits()), nil
		}
	}
	if free(first) {
		return netip.PrefixFrom(first, own.Bits()), nil
	}
	return netip.Prefix{}, as(ErrConfig, "network %s is full: all %d addresses of %s are in use\nhint: destroy guests that have one, or give the network a larger subnet", network, len(others4(others)), own.Masked())
}

// others4 are the IPv4 addresses that others have: the ones that can run out.
func others4(others map[netip.Addr]*entry) []netip.Addr {
	var list []netip.Addr
	for a := range others {
		if a.Is4() {
			list = append(list, a)
		}
	}
	return list
}

// sameNumber is the address of an IPv6 subnet that reads like one of an IPv4 subnet:
// 10.1.2.25 of 10.1.2.0/24 is fd00::25.
func sameNumber(own, four netip.Prefix) netip.Addr {
	if !four.Addr().Is4() {
		return netip.Addr{}
	}
	a, base := four.Addr().As4(), four.Masked().Addr().As4()
	number := binary.BigEndian.Uint32(a[:]) - binary.BigEndian.Uint32(base[:])
	digits, err := strconv.ParseUint(fmt.Sprint(number), 16, 64)
	if err != nil {
		return netip.Addr{}
	}
	six := own.Masked().Addr().As16()
	binary.BigEndian.PutUint64(six[8:], digits)
	return netip.AddrFrom16(six)
}

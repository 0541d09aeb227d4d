package link

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/vnet"
)

// configure gives the interface in the guest its addresses, brings it up and makes its
// routes: a guest whose init does nothing of that has network from its first instruction.
func (s *Session) configure(i *vnet.Interface) error {
	l, err := s.guest.LinkByName(i.Name)
	if err != nil {
		return err
	}
	for _, p := range i.Addresses {
		if err := s.addAddress(l, p); err != nil {
			return err
		}
	}
	if i.Down {
		return nil
	}
	if err := s.guest.LinkSetUp(l); err != nil {
		return fmt.Errorf("cannot bring up: %w", err)
	}
	return s.addGateways(l, i.Gateways, i.Addresses)
}

// addAddress adds an address for good. There is no duplicate address detection: the address
// is the guest's by the ledger, and would be of no use for its first second.
func (s *Session) addAddress(l netlink.Link, p netip.Prefix) error {
	a := &netlink.Addr{IPNet: ipNet(p)}
	if p.Addr().Is6() {
		a.Flags = unix.IFA_F_NODAD
	} else if p.Bits() < 31 {
		a.Broadcast = broadcast(p)
	}
	if err := s.guest.AddrAdd(l, a); err != nil && err != unix.EEXIST {
		return fmt.Errorf("cannot add address %s: %w", p, err)
	}
	return nil
}

func (s *Session) addGateways(l netlink.Link, gateways []netip.Addr, own []netip.Prefix) error {
	for _, g := range gateways {
		if err := s.guest.RouteReplace(defaultRoute(l, g, own)); err != nil {
			return fmt.Errorf("cannot make default route by %s: %w", g, err)
		}
	}
	return nil
}

// defaultRoute leads to a gateway, which need not be in a subnet of the interface's.
func defaultRoute(l netlink.Link, gateway netip.Addr, own []netip.Prefix) *netlink.Route {
	r := &netlink.Route{LinkIndex: l.Attrs().Index, Gw: gateway.AsSlice(), Dst: &net.IPNet{IP: net.IPv4zero, Mask: net.CIDRMask(0, 32)}}
	if gateway.Is6() {
		r.Dst = &net.IPNet{IP: net.IPv6zero, Mask: net.CIDRMask(0, 128)}
	}
	near := func(p netip.Prefix) bool { return p.Masked().Contains(gateway) }
	if !gateway.IsLinkLocalUnicast() && !slices.ContainsFunc(own, near) || gateway.Is4() && gateway.IsLinkLocalUnicast() {
		r.Flags = int(netlink.FLAG_ONLINK)
	}
	return r
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

// broadcast is the last address of an IPv4 subnet.
func broadcast(p netip.Prefix) net.IP {
	ip := p.Addr().As4()
	for bit := p.Bits(); bit < 32; bit++ {
		ip[bit/8] |= 1 << (7 - bit%8)
	}
	return ip[:]
}

// reconfigure makes what an interface has what it is to have.
func (s *Session) reconfigure(was, is *vnet.Interface) error {
	l, err := s.guest.LinkByName(is.Name)
	if err != nil {
		return err
	}
	for _, p := range was.Addresses {
		if slices.Contains(is.Addresses, p) {
			continue
		}
		// The guest itself may have taken it away.
		if err := s.guest.AddrDel(l, &netlink.Addr{IPNet: ipNet(p)}); err != nil && !errors.Is(err, unix.EADDRNOTAVAIL) {
			return fmt.Errorf("cannot remove address %s: %w", p, err)
		}
	}
	for _, g := range was.Gateways {
		if slices.Contains(is.Gateways, g) {
			continue
		}
		if err := s.guest.RouteDel(defaultRoute(l, g, was.Addresses)); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("cannot remove default route by %s: %w", g, err)
		}
	}
	if is.Down {
		if err := s.guest.LinkSetDown(l); err != nil {
			return fmt.Errorf("cannot bring down: %w", err)
		}
	}
	return s.configure(is)
}

package link

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/vnet"
)

// route has the host send what is for the guest's addresses over the link, and answer for
// them on the networks that it is on.
func (s *Session) route(i *vnet.Interface) error {
	l, err := s.host.LinkByName(i.Host)
	if err != nil {
		return err
	}
	// The host's own addresses, the same on the links to all routed guests.
	for _, p := range []netip.Prefix{netip.PrefixFrom(vnet.RoutedGateway4(), 32), netip.PrefixFrom(vnet.RoutedGateway6(), 64)} {
		if err := s.host.AddrAdd(l, &netlink.Addr{IPNet: ipNet(p), Flags: unix.IFA_F_NODAD}); err != nil && err != unix.EEXIST {
			return fmt.Errorf("cannot add address %s: %w", p, err)
		}
	}
	for _, p := range i.Addresses {
		r := &netlink.Route{LinkIndex: l.Attrs().Index, Dst: host(p.Addr()), Scope: netlink.SCOPE_LINK}
		if p.Addr().Is6() {
			r.Scope = netlink.SCOPE_UNIVERSE
		}
		if err := s.host.RouteReplace(r); err != nil {
			return fmt.Errorf("cannot make route to %s: %w", p.Addr(), err)
		}
	}
	return s.proxies(i, func(n *netlink.Neigh) error { return s.host.NeighSet(n) })
}

// unroute takes back what doesn't go with the link.
func (s *Session) unroute(i *vnet.Interface) error {
	return s.proxies(i, func(n *netlink.Neigh) error {
		err := s.host.NeighDel(n)
		if errors.Is(err, unix.ENOENT) {
			return nil
		}
		return err
	})
}

// dropRoutes takes back the routes to addresses that the guest has no more.
func (s *Session) dropRoutes(before, now *vnet.Interface) error {
	l, err := s.host.LinkByName(now.Host)
	if err != nil {
		return err
	}
	var errs []error
	for _, p := range before.Addresses {
		if slices.Contains(now.Addresses, p) {
			continue
		}
		err := s.host.RouteDel(&netlink.Route{LinkIndex: l.Attrs().Index, Dst: host(p.Addr())})
		if err != nil && !errors.Is(err, unix.ESRCH) {
			errs = append(errs, fmt.Errorf("cannot remove route to %s: %w", p.Addr(), err))
		}
	}
	return errors.Join(errs...)
}

// proxies goes over what the host answers for on the device of i.Parent.
func (s *Session) proxies(i *vnet.Interface, do func(*netlink.Neigh) error) error {
	if i.Parent == "" {
		return nil
	}
	l, err := s.host.LinkByName(i.Parent)
	if missing(err) {
		return nil
	}
	if err != nil {
		return err
	}
	var errs []error
	for _, p := range i.Addresses {
		n := &netlink.Neigh{LinkIndex: l.Attrs().Index, Family: netlink.FAMILY_V4, Flags: netlink.NTF_PROXY, IP: p.Addr().AsSlice()}
		if p.Addr().Is6() {
			n.Family = netlink.FAMILY_V6
			path := "/proc/sys/net/ipv6/conf/" + i.Parent + "/proxy_ndp"
			if err := os.WriteFile(path, []byte("1"), 0); err != nil {
				errs = append(errs, err)
			}
		}
		if err := do(n); err != nil {
			errs = append(errs, fmt.Errorf("cannot answer for %s on %s: %w", p.Addr(), i.Parent, err))
		}
	}
	return errors.Join(errs...)
}

func host(a netip.Addr) *net.IPNet {
	return &net.IPNet{IP: a.AsSlice(), Mask: net.CIDRMask(a.BitLen(), a.BitLen())}
}

package networks

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/vnet"
)

// linkLocal is the bridge's address that guests route IPv6 by: it doesn't change when the
// subnet does.
func linkLocal() netip.Prefix { return netip.MustParsePrefix("fe80::1/64") }

// bridgeMAC is a network's own hardware address. A bridge without one takes the lowest of
// its ports, and guests would lose their neighbour when another comes.
func bridgeMAC(tag, name string) string {
	sum := sha256.Sum256([]byte("bridge\x00" + tag + "\x00" + name))
	return net.HardwareAddr{0x02, sum[0], sum[1], sum[2], sum[3], sum[4]}.String()
}

// isNoLink says that a link isn't there.
func isNoLink(err error) bool {
	return errors.As(err, &netlink.LinkNotFoundError{}) || errors.Is(err, unix.ENODEV)
}

// bridge looks for a network's device; nil: there is none. A device of the name that isn't
// this network's is an error: it is nobody's to take.
func (s *Store) bridge(n *vnet.Network) (netlink.Link, error) {
	link, err := netlink.LinkByName(n.Device)
	if isNoLink(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot look for bridge %s: %w", n.Device, err)
	}
	if !s.isOurs(link, n) {
		return nil, as(ErrConfig, "cannot use network %s: the host has a device %s that isn't sysct's\nhint: choose another name for the network: sysct net create NAME", n.Name, n.Device)
	}
	return link, nil
}

// isOurs says whether a device is the network's: by its alias, or where a process was killed
// before it wrote that, by a hardware address that nobody else makes.
func (s *Store) isOurs(link netlink.Link, n *vnet.Network) bool {
	a := link.Attrs()
	if a.Name != n.Device || link.Type() != "bridge" {
		return false
	}
	unmarked := a.Alias == "" && a.Flags&net.FlagUp == 0 && a.HardwareAddr.String() == bridgeMAC(s.Tag, n.Name)
	return a.Alias == vnet.NetworkAlias(s.Tag, n.Name) || unmarked
}

// bridgeUp makes a network's bridge or what is lacking of it; made says that it is new.
func (s *Store) bridgeUp(n *vnet.Network) (index int, made bool, err error) {
	link, err := s.bridge(n)
	if err != nil {
		return 0, false, err
	}
	if link == nil {
		if err := makeBridge(n); err != nil {
			return 0, false, err
		}
		made = true
		if link, err = s.bridge(n); err != nil || link == nil {
			return 0, false, fmt.Errorf("cannot find bridge %s: %w", n.Device, cmpErr(err, unix.ENODEV))
		}
	}
	if err := s.configure(link, n); err != nil {
		return 0, made, fmt.Errorf("cannot set up bridge %s: %w", n.Device, err)
	}
	return link.Attrs().Index, made, nil
}

func cmpErr(err, other error) error {
	if err != nil {
		return err
	}
	return other
}

// makeBridge makes the device, down and with the hardware address it is known by.
func makeBridge(n *vnet.Network) error {
	mac, err := net.ParseMAC(n.MAC)
	if err != nil {
		return fmt.Errorf("cannot make bridge %s: %w", n.Device, err)
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.HardwareAddr, attrs.MTU = n.Device, mac, n.MTU
	bridge := &netlink.Bridge{LinkAttrs: attrs}
	if err := netlink.LinkAdd(bridge); err != nil {
		return fmt.Errorf("cannot make bridge %s: %w", n.Device, err)
	}
	// A bridge takes the least MTU of its ports, a guest's, until one was set by hand; the
	// kernel sees that only in a change.
	for _, size := range []int{mtu(n) - 1, mtu(n)} {
		if err := netlink.LinkSetMTU(bridge, size); err != nil {
			return fmt.Errorf("cannot set MTU %d of bridge %s: %w", size, n.Device, err)
		}
	}
	return nil
}

// configure sets what differs from how the bridge is to be.
func (s *Store) configure(link netlink.Link, n *vnet.Network) error {
	a := link.Attrs()
	if alias := vnet.NetworkAlias(s.Tag, n.Name); a.Alias != alias {
		if err := netlink.LinkSetAlias(link, alias); err != nil {
			return fmt.Errorf("cannot set alias: %w", err)
		}
	}
	mac, err := net.ParseMAC(n.MAC)
	if err != nil {
		return err
	}
	if a.HardwareAddr.String() != mac.String() {
		if err := netlink.LinkSetHardwareAddr(link, mac); err != nil {
			return fmt.Errorf("cannot set hardware address: %w", err)
		}
	}
	if want := mtu(n); a.MTU != want {
		if err := netlink.LinkSetMTU(link, want); err != nil {
			return fmt.Errorf("cannot set MTU %d: %w", want, err)
		}
	}
	if err := noDelay(a.Index); err != nil {
		return err
	}
	if err := quiet(n); err != nil {
		return err
	}
	if a.Flags&net.FlagUp == 0 {
		if err := netlink.LinkSetUp(link); err != nil {
			return fmt.Errorf("cannot bring it up: %w", err)
		}
	}
	return setAddresses(link, n)
}

// mtu is a network's, which is the kernel's default if none is written.
func mtu(n *vnet.Network) int {
	if n.MTU > 0 {
		return n.MTU
	}
	return 1500
}

// The numbers of a bridge's attributes. Source: linux/if_link.h.
const (
	brForwardDelay = 1
	brSTPState     = 5
)

// noDelay has new ports forward at once: without the spanning tree protocol a bridge still
// has them only learn for its forward delay.
func noDelay(index int) error {
	req := nl.NewNetlinkRequest(unix.RTM_NEWLINK, unix.NLM_F_ACK)
	msg := nl.NewIfInfomsg(unix.AF_UNSPEC)
	msg.Index = int32(index)
	req.AddData(msg)
	info := nl.NewRtAttr(unix.IFLA_LINKINFO, nil)
	info.AddRtAttr(nl.IFLA_INFO_KIND, nl.NonZeroTerminated("bridge"))
	data := info.AddRtAttr(nl.IFLA_INFO_DATA, nil)
	data.AddRtAttr(brSTPState, nl.Uint32Attr(0))
	data.AddRtAttr(brForwardDelay, nl.Uint32Attr(0))
	req.AddData(info)
	if _, err := req.Execute(unix.NETLINK_ROUTE, 0); err != nil {
		return fmt.Errorf("cannot switch its forward delay off: %w", err)
	}
	return nil
}

// setAddresses gives the bridge its addresses and takes those away that it had by another
// configuration. nodad: the addresses are to be there at once, and nobody else can have them.
func setAddresses(link netlink.Link, n *vnet.Network) error {
	want := wantedAddresses(n)
	have, err := addresses(link)
	if err != nil {
		return err
	}
	for _, p := range have {
		if !slices.Contains(want, p) {
			if err := netlink.AddrDel(link, &netlink.Addr{IPNet: ipNet(p)}); err != nil && !errors.Is(err, unix.EADDRNOTAVAIL) {
				return fmt.Errorf("cannot take address %s away: %w", p, err)
			}
		}
	}
	for _, p := range want {
		if slices.Contains(have, p) {
			continue
		}
		addr := &netlink.Addr{IPNet: ipNet(p)}
		if p.Addr().Is6() {
			addr.Flags = unix.IFA_F_NODAD
		}
		if err := netlink.AddrAdd(link, addr); err != nil && !errors.Is(err, unix.EEXIST) {
			return fmt.Errorf("cannot add address %s: %w", p, err)
		}
	}
	return nil
}

// wantedAddresses are those of a network's bridge.
func wantedAddresses(n *vnet.Network) []netip.Prefix {
	var want []netip.Prefix
	if n.IPv4.IsValid() {
		want = append(want, n.IPv4)
	}
	if n.IPv6.IsValid() {
		want = append(want, n.IPv6, linkLocal())
	}
	return want
}

// addresses are those that a link has.
func addresses(link netlink.Link) ([]netip.Prefix, error) {
	list, err := retried(func() ([]netlink.Addr, error) { return netlink.AddrList(link, netlink.FAMILY_ALL) })
	if err != nil {
		return nil, fmt.Errorf("cannot list addresses: %w", err)
	}
	var have []netip.Prefix
	for _, a := range list {
		if addr, ok := netip.AddrFromSlice(a.IP); ok {
			bits, _ := a.Mask.Size()
			have = append(have, netip.PrefixFrom(addr.Unmap(), bits))
		}
	}
	return have, nil
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

// bridgeDown takes a network's bridge away. One that isn't there is no error.
func (s *Store) bridgeDown(n *vnet.Network) error {
	link, err := s.bridge(n)
	if err != nil || link == nil {
		return err
	}
	if err := netlink.LinkDel(link); err != nil && !isNoLink(err) {
		return fmt.Errorf("cannot remove bridge %s: %w", n.Device, err)
	}
	return nil
}

// ports are the links that are on a bridge.
func ports(index int) ([]netlink.Link, error) {
	all, err := retried(netlink.LinkList)
	if err != nil {
		return nil, fmt.Errorf("cannot list links: %w", err)
	}
	return slices.DeleteFunc(all, func(l netlink.Link) bool { return l.Attrs().MasterIndex != index }), nil
}

// Package guard holds what a guest sends to what it is: frames that would pass for somebody
// else's are dropped, by a BPF program at the ingress of the host's side of the guest's veth,
// and by the flags of its port on a bridge. It is not a firewall: where a guest may go, and
// what comes to it, isn't its business, and it does nothing to devices that aren't a veth.
package guard

import (
	"fmt"
	"net"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"
)

// Policy is what a guest's interface may send as.
type Policy struct {
	MAC net.HardwareAddr // six bytes, of one interface
	// Addresses are the interface's own, of both families. The link-local IPv6 address that is
	// made from MAC (EUI-64) is always its own too.
	Addresses []netip.Addr
	// Any4 and Any6 allow every source address of a family: where the addresses are handed
	// out by somebody else, as on a bridge of the host's own, they aren't known. What isn't an
	// address is checked as ever.
	Any4, Any6 bool
}

// check refuses what no program can be made of.
func (p Policy) check() error {
	if len(p.MAC) != 6 || p.MAC[0]&1 != 0 || slices.Max(p.MAC) == 0 {
		return fmt.Errorf("%q is not the hardware address of one interface: %w", p.MAC, unix.EINVAL)
	}
	for _, a := range p.Addresses {
		if !a.IsValid() || a.Is4In6() || a.Zone() != "" || a.IsUnspecified() || a.IsMulticast() || a.IsLoopback() {
			return fmt.Errorf("%s can't be the address of an interface: %w", a, unix.EINVAL)
		}
	}
	return nil
}

// own lists the addresses of each family, sorted, each once.
func (p Policy) own() (v4, v6 []netip.Addr) {
	v6 = []netip.Addr{linkLocal(p.MAC)}
	for _, a := range p.Addresses {
		if a.Is4() {
			v4 = append(v4, a)
		} else {
			v6 = append(v6, a)
		}
	}
	slices.SortFunc(v4, netip.Addr.Compare)
	slices.SortFunc(v6, netip.Addr.Compare)
	return slices.Compact(v4), slices.Compact(v6)
}

// linkLocal is the address that the kernel makes from a hardware address. Source: RFC 4291,
// appendix A.
func linkLocal(mac net.HardwareAddr) netip.Addr {
	return netip.AddrFrom16([16]byte{0: 0xfe, 1: 0x80, 8: mac[0] ^ 2, 9: mac[1], 10: mac[2], 11: 0xff, 12: 0xfe, 13: mac[3], 14: mac[4], 15: mac[5]})
}

package guard

import (
	"net/netip"

	"golang.org/x/sys/unix"
)

// What is behind the address in IPv4 and IPv6.
const (
	dhcpServer  = 67
	dhcpClient  = 68
	dhcp6Server = 547
	protoPIM    = 103
)

// ipv4 checks the source, and that the guest is no DHCP server and no router. Of fragments
// the first has the ports, and those behind it can't write over them: they begin at the
// eighth byte at the earliest.
func (a *assembler) ipv4(p Policy, own []netip.Addr) {
	const header = head + network
	a.label("ipv4")
	a.get(byte1, r2, header)
	a.copy(at, r2)
	a.math(unix.BPF_RSH, r2, 4)
	a.ifNot(r2, 4, drop)
	a.math(unix.BPF_AND, at, 15)
	a.ifBelow(at, 5, drop)
	a.math(unix.BPF_LSH, at, 2)
	a.math(unix.BPF_ADD, at, network)
	a.get(byte2, kind, header+6)
	a.get(byte1, more, header+9)
	a.get(byte4, r2, header+12)
	for _, addr := range own {
		b := addr.As4()
		a.ifEqual(r2, word(b[:]...), "ipv4 own")
	}
	if p.Any4 {
		a.ifNot(r2, 0, "ipv4 own")
	} else {
		a.ifNot(r2, 0, drop)
	}
	a.unconfigured4()
	a.label("ipv4 own")
	a.ifAny(kind, half(0x1fff), pass) // not the first fragment
	a.ifEqual(more, unix.IPPROTO_UDP, "udp4")
	a.ifEqual(more, unix.IPPROTO_ICMP, "icmp4")
	a.ifEqual(more, unix.IPPROTO_IGMP, "igmp")
	a.ifNot(more, protoPIM, pass) // a bridge takes its sender for a router of multicast
	a.goTo(drop)
	a.icmp4()
	a.udp4()
	a.dhcp(p)
}

// unconfigured4 is what a guest without an address may send: to a DHCP server, in one piece.
func (a *assembler) unconfigured4() {
	a.ifNot(more, unix.IPPROTO_UDP, drop)
	a.ifAny(kind, half(0x3fff), drop)
	a.fetch(0, piece, 8)
	a.get(byte2, r2, piece)
	a.ifNot(r2, half(dhcpClient), drop)
	a.get(byte2, r2, piece+2)
	a.ifNot(r2, half(dhcpServer), drop)
	a.goTo("dhcp")
}

// icmp4 drops what routers alone say: ICMP redirects and advertisements, queries of IGMP and
// of multicast router discovery (a bridge takes who sends those for a router of multicast).
func (a *assembler) icmp4() {
	a.label("icmp4")
	a.fetch(0, piece, 1)
	a.get(byte1, r2, piece)
	a.ifEqual(r2, 5, drop)
	a.ifEqual(r2, 9, drop)
	a.goTo(pass)
	a.label("igmp")
	a.fetch(0, piece, 1)
	a.get(byte1, r2, piece)
	a.ifEqual(r2, 0x11, drop)
	a.ifEqual(r2, 0x30, drop)
	a.goTo(pass)
}

func (a *assembler) udp4() {
	a.label("udp4")
	a.fetch(0, piece, 8)
	a.get(byte2, r2, piece)
	a.ifEqual(r2, half(dhcpServer), drop)
	a.get(byte2, r2, piece+2)
	a.ifNot(r2, half(dhcpServer), pass)
	a.ifAny(kind, half(0x2000), drop) // its rest comes in fragments, which nobody looks into
}

// dhcp checks that a request to a DHCP server is for the guest itself, and comes through no
// relay: else it could decline or release the addresses of others. Source: RFC 2131, figure 1.
func (a *assembler) dhcp(p Policy) {
	a.label("dhcp")
	a.fetch(8, piece, 34)
	a.get(byte2, r2, piece) // a request, hardware type Ethernet
	a.ifNot(r2, half(1<<8|1), drop)
	a.get(byte1, r2, piece+2)
	a.ifNot(r2, 6, drop)
	a.get(byte4, r2, piece+24)
	a.ifNot(r2, 0, drop)
	a.hardware(piece+28, p)
	a.goTo(pass)
}

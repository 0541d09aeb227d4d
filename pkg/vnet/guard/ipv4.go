package guard

import (
	"net/netip"

	"golang.org/x/sys/unix"
)

// What is behind the address in IPv4 and IPv6.
const (
	dhcpServer  = 67
	dhcpClient  = 68
	dhcp6Client = 546
	dhcp6Server = 547
	protoPIM    = 103
)

// unconfigured is set in kind where the source is 0.0.0.0.
const unconfigured = 1 << 16

// ipv4 checks the source, and that the guest is no DHCP server and no router. Of fragments
// the first has the ports, and those behind it can't write over them: they begin at the
// eighth byte at the earliest.
func (a *assembler) ipv4(p Policy, own []netip.Addr) {
	const header = head + network
	a.label("ipv4")
	a.get(byte1, at, header)
	a.math(unix.BPF_SUB, at, 0x45) // version 4, five words at least
	a.ifAbove(at, 10, drop)
	a.math(unix.BPF_LSH, at, 2)
	a.math(unix.BPF_ADD, at, network+20)
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
	a.ifNot(more, unix.IPPROTO_UDP, drop)
	a.math(unix.BPF_OR, kind, unconfigured)
	a.goTo("udp4")
	if p.Any4 || len(own) > 0 { // the kernel takes no code that nothing leads to
		a.label("ipv4 own")
		a.ifAny(kind, half(0x1fff), pass) // not the first fragment
		a.ifEqual(more, unix.IPPROTO_UDP, "udp4")
		a.routers4()
	}
	a.udp4()
	a.dhcp(p)
}

// routers4 drops what routers alone say: ICMP redirects and advertisements, queries of IGMP, of
// multicast router discovery, and PIM. A bridge takes who sends the last three for a router
// of multicast.
func (a *assembler) routers4() {
	a.ifAbove(more, unix.IPPROTO_IGMP, "ipv4 last")
	a.fetch(0, piece, 1)
	a.dropWrong()
	a.get(byte1, r2, piece)
	a.math(unix.BPF_LSH, more, 8)
	a.mathOf(unix.BPF_OR, r2, more)
	for _, what := range []uint32{unix.IPPROTO_ICMP<<8 | 5, unix.IPPROTO_ICMP<<8 | 9, unix.IPPROTO_IGMP<<8 | 0x11, unix.IPPROTO_IGMP<<8 | 0x30} {
		a.ifEqual(r2, what, drop)
	}
	a.goTo(pass)
	a.label("ipv4 last")
	a.ifNot(more, protoPIM, pass)
	a.goTo(drop)
}

func (a *assembler) udp4() {
	a.label("udp4")
	a.fetch(0, piece, 8)
	a.dropWrong()
	a.get(byte2, r2, piece)
	a.ifEqual(r2, half(dhcpServer), drop)
	a.get(byte2, r3, piece+2)
	a.ifEqual(r3, half(dhcpServer), "dhcp")
	a.ifEqual(r3, half(dhcpClient), drop) // clients don't look where an answer comes from
	a.ifAny(kind, unconfigured, drop)
	a.goTo(pass)
}

// dhcp checks that a request to a DHCP server is a client's, in one piece, for the guest itself,
// and comes through no relay: else it could decline or release the addresses of others. Source:
// RFC 2131, figure 1. The source port is in r2.
func (a *assembler) dhcp(p Policy) {
	a.label("dhcp")
	a.math(unix.BPF_AND, kind, int32(half(0x3fff)))
	a.xor(r2, half(dhcpClient))
	a.mathOf(unix.BPF_OR, kind, r2)
	a.fetch(8, piece, 34)
	a.mathOf(unix.BPF_OR, wrong, kind)
	a.must(byte2, piece, half(1<<8|1)) // a request, hardware type Ethernet
	a.must(byte1, piece+2, 6)
	a.must(byte4, piece+24, 0)
	a.hardware(piece+28, p)
	a.dropWrong()
	a.goTo(pass)
}

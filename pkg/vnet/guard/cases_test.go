package guard

import (
	"net/netip"
	"slices"
)

// A sample is a frame that the guest sends, and whether it may.
type sample struct {
	name  string
	frame []byte
	legal bool
}

const (
	tARP = 0x806
	tIP4 = 0x800
	tIP6 = 0x86dd
)

var (
	any4, any6 = netip.IPv4Unspecified(), netip.IPv6Unspecified()
	ownLocal   = linkLocal(ownMAC)
)

// alike is the guest's link-local address but for a bit of the byte.
func alike(i int) netip.Addr {
	b := ownLocal.As16()
	b[i] ^= 1
	return netip.AddrFrom16(b)
}

func samples() []sample {
	return slices.Concat(ethernetSamples(), arpSamples(), ip4Samples(), dhcpSamples(), ip6Samples(), neighbourSamples(), hiddenSamples())
}

func ethernetSamples() []sample {
	echo := ip4(own4, 1, 0, []byte{8, 0, 0, 0, 0, 0, 0, 0})
	// A packet socket shows those with a tag without it: none may look like another then.
	return []sample{
		{"echo request", mine(tIP4, echo), true},
		{"broadcast", eth(broadcast, ownMAC, tIP4, echo), true},
		{"source MAC of the gateway", eth(peerMAC, gateMAC, tIP4, echo), false},
		{"source MAC of the gateway, IPv6", eth(peerMAC, gateMAC, tIP6, ip6(own6, 58, icmp6Message(128, zeros(4)))), false},
		{"source MAC of the gateway, ARP", eth(broadcast, gateMAC, tARP, arpPacket(1, ownMAC, own4, peer4)), false},
		{"source MAC with another beginning", eth(peerMAC, []byte{6, 0, 0, 0, 0, 2}, tIP4, echo), false},
		{"VLAN tag", mine(0x8100, big(5), big(tIP4), echo, []byte("1")), false},
		{"priority tag", mine(0x8100, big(0xa000), big(tIP4), echo, []byte("2")), false},
		{"provider's VLAN tag", mine(0x88a8, big(5), big(tIP4), echo, []byte("3")), false},
		{"two VLAN tags", mine(0x8100, big(5), big(0x8100), big(6), big(tIP4), echo, []byte("4")), false},
		{"spanning tree", eth([]byte{1, 0x80, 0xc2, 0, 0, 0}, ownMAC, 39, []byte{0x42, 0x42, 3}, zeros(36)), false},
		{"LLDP", eth([]byte{1, 0x80, 0xc2, 0, 0, 0xe}, ownMAC, 0x88cc, zeros(46)), false},
		{"PPPoE discovery", mine(0x8863, zeros(46)), false},
		{"Wake on LAN", mine(0x842, zeros(46)), false},
		{"RARP", mine(0x8035, arpPacket(3, ownMAC, own4, own4)), false},
		{"IPX, by length", mine(30, zeros(46)), false},
		{"ARP as another type", mine(0x88b5, arpPacket(1, ownMAC, own4, peer4)), false},
		{"local experiments", mine(0x88b5, zeros(46)), false},
		{"nothing behind the type", mine(tIP4, zeros(4)), false},
		{"IPv6 header cut", mine(tIP6, ip6(own6, 59)[:39]), false},
		{"ARP cut", mine(tARP, arpPacket(1, ownMAC, own4, peer4)[:18]), false},
	}
}

func arpSamples() []sample {
	of := func(change func(p []byte)) []byte {
		p := arpPacket(1, ownMAC, own4, peer4)
		change(p)
		return eth(broadcast, ownMAC, tARP, p)
	}
	return []sample{
		{"ARP request", eth(broadcast, ownMAC, tARP, arpPacket(1, ownMAC, own4, peer4)), true},
		{"ARP reply", mine(tARP, arpPacket(2, ownMAC, own4, peer4)), true},
		{"ARP probe", eth(broadcast, ownMAC, tARP, arpPacket(1, ownMAC, any4, own4)), true},
		{"gratuitous ARP", eth(broadcast, ownMAC, tARP, arpPacket(1, ownMAC, own4, own4)), true},
		{"ARP reply for the gateway", mine(tARP, arpPacket(2, ownMAC, gate4, peer4)), false},
		{"ARP reply for the peer", mine(tARP, arpPacket(2, ownMAC, peer4, gate4)), false},
		{"gratuitous ARP for the gateway", eth(broadcast, ownMAC, tARP, arpPacket(1, ownMAC, gate4, gate4)), false},
		{"gratuitous ARP reply for the gateway", eth(broadcast, ownMAC, tARP, arpPacket(2, ownMAC, gate4, gate4)), false},
		{"gratuitous ARP for the peer", eth(broadcast, ownMAC, tARP, arpPacket(1, ownMAC, peer4, peer4)), false},
		{"ARP from another network", mine(tARP, arpPacket(2, ownMAC, netip.MustParseAddr("10.1.0.2"), peer4)), false},
		{"ARP from another network, by the first byte", mine(tARP, arpPacket(2, ownMAC, netip.MustParseAddr("11.0.0.2"), peer4)), false},
		{"ARP with the peer's hardware address", mine(tARP, arpPacket(2, peerMAC, own4, gate4)), false},
		{"ARP with a hardware address of another beginning", mine(tARP, arpPacket(2, []byte{6, 0, 0, 0, 0, 2}, own4, gate4)), false},
		{"ARP probe with the peer's hardware address", mine(tARP, arpPacket(1, peerMAC, any4, own4)), false},
		{"ARP of another hardware type", of(func(p []byte) { p[1] = 6 }), false},
		{"ARP of another protocol", of(func(p []byte) { p[3] = 6 }), false},
		{"ARP with long hardware addresses", of(func(p []byte) { p[4] = 8 }), false},
		{"ARP with long addresses", of(func(p []byte) { p[5] = 16 }), false},
		{"ARP operation 0", of(func(p []byte) { p[7] = 0 }), false},
		{"ARP operation 3", of(func(p []byte) { p[7] = 3 }), false},
		{"ARP operation 9, inverse ARP's reply", of(func(p []byte) { p[7] = 9 }), false},
		{"ARP operation 257", of(func(p []byte) { p[6] = 1 }), false},
	}
}

func ip4Samples() []sample {
	version := func(first byte) []byte {
		p := ip4(own4, 6, 0, zeros(20))
		p[0] = first
		return p
	}
	return []sample{
		{"TCP", mine(tIP4, ip4(own4, 6, 0x4000, zeros(20))), true},
		{"UDP", mine(tIP4, ip4(own4, 17, 0, udp(5353, 5353))), true},
		{"UDP behind options", mine(tIP4, ip4Options(1, own4, 17, udp(5353, 5353))), true},
		{"UDP behind all options", mine(tIP4, ip4Options(10, own4, 17, udp(5353, 5353))), true},
		{"first fragment of UDP", mine(tIP4, ip4(own4, 17, 0x2000, udp(1000, 1000))), true},
		{"fragment of UDP", mine(tIP4, ip4(own4, 17, 0x2001, big(67), zeros(22))), true},
		{"last fragment of UDP", mine(tIP4, ip4(own4, 17, 100, zeros(3))), true},
		{"ICMP unreachable", mine(tIP4, ip4(own4, 1, 0, []byte{3, 3}, zeros(34))), true},
		{"fragment of ICMP", mine(tIP4, ip4(own4, 1, 9, []byte{5, 0}, zeros(34))), true},
		{"IGMP report", mine(tIP4, ip4(own4, 2, 0, []byte{0x22, 0}, zeros(14))), true},
		{"SCTP", mine(tIP4, ip4(own4, 132, 0, zeros(20))), true},
		{"ESP", mine(tIP4, ip4(own4, 50, 0, zeros(20))), true},
		{"ICMP router solicitation", mine(tIP4, ip4(own4, 1, 0, []byte{10, 0}, zeros(6))), true},

		{"source of the peer", mine(tIP4, ip4(peer4, 6, 0, zeros(20))), false},
		{"source of the gateway", mine(tIP4, ip4(gate4, 1, 0, []byte{8, 0}, zeros(6))), false},
		{"source of the gateway, UDP", mine(tIP4, ip4(gate4, 17, 0, udp(53, 1000))), false},
		{"source of the peer, fragment", mine(tIP4, ip4(peer4, 17, 100, zeros(20))), false},
		{"source elsewhere", mine(tIP4, ip4(netip.MustParseAddr("192.0.2.1"), 6, 0, zeros(20))), false},
		{"source of this host", mine(tIP4, ip4(netip.MustParseAddr("127.0.0.1"), 6, 0, zeros(20))), false},
		{"source of a group", mine(tIP4, ip4(netip.MustParseAddr("224.0.0.1"), 6, 0, zeros(20))), false},
		{"source of all", mine(tIP4, ip4(netip.MustParseAddr("255.255.255.255"), 6, 0, zeros(20))), false},
		{"no source, TCP", mine(tIP4, ip4(any4, 6, 0, zeros(20))), false},
		{"no source, TCP with the ports of DHCP", mine(tIP4, ip4(any4, 6, 0, udp(68, 67, bootp(1, any4, ownMAC)))), false},
		{"no source, fragment of TCP", mine(tIP4, ip4(any4, 6, 9, zeros(20))), false},
		{"no source, UDP", mine(tIP4, ip4(any4, 17, 0, udp(68, 1000, bootp(1, any4, ownMAC)))), false},
		{"no source, fragment of UDP", mine(tIP4, ip4(any4, 17, 9, udp(68, 67, bootp(1, any4, ownMAC)))), false},
		{"no source, first fragment of UDP", mine(tIP4, ip4(any4, 17, 0x2000, udp(68, 67, bootp(1, any4, ownMAC)))), false},
		{"version 6 as IPv4", mine(tIP4, version(0x65)), false},
		{"version 0 as IPv4", mine(tIP4, version(0x05)), false},
		{"version 5 as IPv4", mine(tIP4, version(0x50)), false},
		{"header of four words", mine(tIP4, version(0x44)), false},
		{"ICMP redirect", mine(tIP4, ip4(own4, 1, 0, []byte{5, 1}, zeros(34))), false},
		{"ICMP redirect behind options", mine(tIP4, ip4Options(3, own4, 1, []byte{5, 1}, zeros(34))), false},
		{"ICMP redirect, first fragment", mine(tIP4, ip4(own4, 1, 0x2000, []byte{5, 1}, zeros(38))), false},
		{"ICMP router advertisement", mine(tIP4, ip4(own4, 1, 0, []byte{9, 0}, zeros(14))), false},
		{"ICMP without a type", mine(tIP4, ip4(own4, 1, 0)), false},
		{"IGMP query", mine(tIP4, ip4(own4, 2, 0, []byte{0x11, 0}, zeros(6))), false},
		{"multicast router's advertisement", mine(tIP4, ip4(own4, 2, 0, []byte{0x30, 0}, zeros(6))), false},
		{"PIM hello", mine(tIP4, ip4(own4, 103, 0, []byte{0x20, 0}, zeros(6))), false},
		{"UDP cut", mine(tIP4, ip4(own4, 17, 0x2000, zeros(7))), false},
	}
}

func dhcpSamples() []sample {
	from := func(source netip.Addr, fragment int, datagram ...[]byte) []byte {
		return eth(broadcast, ownMAC, tIP4, ip4(source, 17, fragment, datagram...))
	}
	request := bootp(1, any4, ownMAC)
	hardware := func(i int, b byte) []byte {
		r := slices.Clone(request)
		r[i] = b
		return r
	}
	return []sample{
		{"DHCP discover", from(any4, 0, udp(68, 67, request)), true},
		{"DHCP discover, not to be fragmented", from(any4, 0x4000, udp(68, 67, request)), true},
		{"DHCP discover behind options", eth(broadcast, ownMAC, tIP4, ip4Options(2, any4, 17, udp(68, 67, request))), true},
		{"DHCP renewal", from(own4, 0, udp(68, 67, request)), true},
		{"DHCP offer", from(own4, 0, udp(67, 68, bootp(2, any4, peerMAC))), false},
		{"DHCP offer behind options", eth(broadcast, ownMAC, tIP4, ip4Options(2, own4, 17, udp(67, 68, bootp(2, any4, peerMAC)))), false},
		{"DHCP offer from the gateway", from(gate4, 0, udp(67, 68, bootp(2, any4, peerMAC))), false},
		{"DHCP offer without a source", from(any4, 0, udp(67, 68, bootp(2, any4, peerMAC))), false},
		{"DHCP offer, first fragment", from(own4, 0x2000, udp(67, 68, bootp(2, any4, peerMAC))), false},
		{"DHCP offer from another port", from(own4, 0, udp(1067, 68, bootp(2, any4, peerMAC))), false},
		{"DHCP server's port to another", from(own4, 0, udp(67, 1068, bootp(2, any4, peerMAC))), false},
		{"server to server", from(own4, 0, udp(67, 67, request)), false},
		{"DHCP from another port", from(own4, 0, udp(1000, 67, request)), false},
		{"DHCP from another port without a source", from(any4, 0, udp(1000, 67, request)), false},
		{"DHCP for the peer", from(any4, 0, udp(68, 67, bootp(1, any4, peerMAC))), false},
		{"DHCP release for the peer", from(own4, 0, udp(68, 67, bootp(1, any4, peerMAC))), false},
		{"DHCP for a hardware address of another beginning", from(own4, 0, udp(68, 67, bootp(1, any4, []byte{6, 0, 0, 0, 0, 2}))), false},
		{"DHCP from the peer's address", from(peer4, 0, udp(68, 67, request)), false},
		{"DHCP through a relay", from(own4, 0, udp(68, 67, bootp(1, peer4, ownMAC))), false},
		{"DHCP reply to a server", from(own4, 0, udp(68, 67, bootp(2, any4, ownMAC))), false},
		{"DHCP of another hardware type", from(own4, 0, udp(68, 67, hardware(1, 6))), false},
		{"DHCP without a hardware address", from(own4, 0, udp(68, 67, hardware(2, 0))), false},
		{"DHCP renewal in fragments", from(own4, 0x2000, udp(68, 67, request)), false},
		{"DHCP renewal cut", from(own4, 0, udp(68, 67, request[:30])), false},
		{"DHCPv6 solicit", mine(tIP6, ip6(ownLocal, 17, udp(546, 547, []byte{1}, zeros(20)))), true},
		{"DHCPv6 information request", mine(tIP6, ip6(ownLocal, 17, udp(546, 547, []byte{11}, zeros(20)))), true},
		{"DHCPv6 query", mine(tIP6, ip6(own6, 17, udp(546, 547, []byte{14}, zeros(20)))), true},
		{"DHCPv6 advertise from another port", mine(tIP6, ip6(ownLocal, 17, udp(1547, 546, []byte{2}, zeros(20)))), false},
		{"DHCPv6 server's port to another", mine(tIP6, ip6(ownLocal, 17, udp(547, 1546, []byte{2}, zeros(20)))), false},
		{"DHCPv6 advertise", mine(tIP6, ip6(ownLocal, 17, udp(547, 546, []byte{2}, zeros(20)))), false},
		{"DHCPv6 advertise, first fragment", mine(tIP6, ip6(ownLocal, 44, fragmentHeader(17, 0, true), udp(547, 546, []byte{2}, zeros(20)))), false},
		{"DHCPv6 relay", mine(tIP6, ip6(ownLocal, 17, udp(546, 547, []byte{12}, zeros(40)))), false},
		{"DHCPv6 relay's reply", mine(tIP6, ip6(ownLocal, 17, udp(546, 547, []byte{13}, zeros(40)))), false},
		{"DHCPv6 relay, first fragment", mine(tIP6, ip6(own6, 44, fragmentHeader(17, 0, true), udp(546, 547, []byte{12}, zeros(39)))), false},
		{"DHCPv6 in fragments", mine(tIP6, ip6(own6, 44, fragmentHeader(17, 0, true), udp(546, 547, []byte{1}, zeros(39)))), false},
		{"DHCPv6 without a message", mine(tIP6, ip6(own6, 17, udp(546, 547))), false},
	}
}

func ip6Samples() []sample {
	version := func(first byte) []byte {
		p := ip6(own6, 6, zeros(20))
		p[0] = first
		return p
	}
	report := icmp6Message(143, zeros(24))
	return []sample{
		{"IPv6 TCP", mine(tIP6, ip6(own6, 6, zeros(20))), true},
		{"IPv6 TCP from the link-local address", mine(tIP6, ip6(ownLocal, 6, zeros(20))), true},
		{"IPv6 UDP", mine(tIP6, ip6(own6, 17, udp(1000, 53, zeros(5)))), true},
		{"IPv6 UDP with nothing in it", mine(tIP6, ip6(own6, 17, udp(1000, 1000))), true},
		{"IPv6 with nothing", mine(tIP6, ip6(own6, 59)), true},
		{"IPv6 ESP", mine(tIP6, ip6(own6, 50, zeros(20))), true},
		{"IPv6 SCTP", mine(tIP6, ip6(own6, 132, zeros(20))), true},
		{"IPv6 VRRP", mine(tIP6, ip6(own6, 112, zeros(20))), true},
		{"IPv6 DSR's number, 48", mine(tIP6, ip6(own6, 48, zeros(20))), true},
		{"IPv6 UDP-Lite", mine(tIP6, ip6(own6, 136, zeros(20))), true},
		{"IPv6 protocol 71", mine(tIP6, ip6(own6, 71, zeros(20))), true},
		{"IPv6 echo", mine(tIP6, ip6(own6, 58, icmp6Message(128, zeros(4)))), true},
		{"IPv6 echo reply", mine(tIP6, ip6(own6, 58, icmp6Message(129, zeros(4)))), true},
		{"IPv6 too big", mine(tIP6, ip6(own6, 58, icmp6Message(2, zeros(4)))), true},
		{"MLDv2 report", mine(tIP6, ip6(ownLocal, 0, extension(58), report)), true},
		{"MLDv2 report without a source", mine(tIP6, ip6(any6, 0, extension(58), report)), true},
		{"MLD report", mine(tIP6, ip6(ownLocal, 0, extension(58), icmp6Message(131, zeros(20)))), true},
		{"MLD done", mine(tIP6, ip6(ownLocal, 0, extension(58), icmp6Message(132, zeros(20)))), true},
		{"first fragment of an echo", mine(tIP6, ip6(own6, 44, fragmentHeader(58, 0, true), icmp6Message(128, zeros(4)))), true},
		{"first fragment of UDP over IPv6", mine(tIP6, ip6(own6, 44, fragmentHeader(17, 0, true), udp(1000, 53, zeros(8)))), true},
		{"first fragment of TCP over IPv6", mine(tIP6, ip6(own6, 44, fragmentHeader(6, 0, true), zeros(24))), true},
		{"fragment behind it", mine(tIP6, ip6(own6, 44, fragmentHeader(17, 1, false), udp(547, 546))), true},

		{"IPv6 source of the peer", mine(tIP6, ip6(peer6, 6, zeros(20))), false},
		{"IPv6 source of the peer, link-local", mine(tIP6, ip6(linkLocal(peerMAC), 6, zeros(20))), false},
		{"IPv6 source of the gateway", mine(tIP6, ip6(gate6, 6, zeros(20))), false},
		{"IPv6 source of the gateway, echo", mine(tIP6, ip6(gate6, 58, icmp6Message(128, zeros(4)))), false},
		{"IPv6 source of the gateway, MLD", mine(tIP6, ip6(gate6, 0, extension(58), report)), false},
		{"IPv6 source of another network", mine(tIP6, ip6(netip.MustParseAddr("fd01::2"), 6, zeros(20))), false},
		{"IPv6 source of another network, second word", mine(tIP6, ip6(netip.MustParseAddr("fd00:0:1::2"), 6, zeros(20))), false},
		{"IPv6 source of another network, third word", mine(tIP6, ip6(netip.MustParseAddr("fd00::1:0:2"), 6, zeros(20))), false},
		{"IPv6 source like the link-local address, first word", mine(tIP6, ip6(alike(0), 6, zeros(20))), false},
		{"IPv6 source like the link-local address, second word", mine(tIP6, ip6(alike(4), 6, zeros(20))), false},
		{"IPv6 source like the link-local address, third word", mine(tIP6, ip6(alike(8), 6, zeros(20))), false},
		{"IPv6 source that ends in no bit", mine(tIP6, ip6(netip.MustParseAddr("fd00::"), 6, zeros(20))), false},
		{"IPv6 source with bits in the second word alone", mine(tIP6, ip6(netip.MustParseAddr("0:0:1::"), 6, zeros(20))), false},
		{"IPv6 source with bits in the third word alone", mine(tIP6, ip6(netip.MustParseAddr("::1:0:0"), 58, neighbourMessage(135, own6))), false},
		{"IPv6 source with bits in the first word alone, MLD", mine(tIP6, ip6(netip.MustParseAddr("fd00::"), 0, extension(58), report)), false},
		{"IPv6 source with bits in the second word alone, MLD", mine(tIP6, ip6(netip.MustParseAddr("0:0:1::"), 0, extension(58), report)), false},
		{"IPv6 source of this host", mine(tIP6, ip6(netip.IPv6Loopback(), 0, extension(58), report)), false},
		{"own IPv4 address mapped", mine(tIP6, ip6(netip.AddrFrom16(own4.As16()), 6, zeros(20))), false},
		{"no IPv6 source, TCP", mine(tIP6, ip6(any6, 6, zeros(20))), false},
		{"no IPv6 source, echo", mine(tIP6, ip6(any6, 58, icmp6Message(128, zeros(4)))), false},
		{"no IPv6 source, UDP", mine(tIP6, ip6(any6, 17, udp(546, 547, []byte{1}, zeros(20)))), false},
		{"no IPv6 source, fragment", mine(tIP6, ip6(any6, 44, fragmentHeader(58, 1, false), zeros(24))), false},
		{"version 4 as IPv6", mine(tIP6, version(0x40)), false},
		{"router advertisement", mine(tIP6, ip6(ownLocal, 58, icmp6Message(134, zeros(12)))), false},
		{"router advertisement of the gateway", mine(tIP6, ip6(gate6, 58, icmp6Message(134, zeros(12)))), false},
		{"router advertisement that looks like a neighbour's", mine(tIP6, ip6(ownLocal, 58, neighbourMessage(134, own6))), false},
		{"redirect", mine(tIP6, ip6(ownLocal, 58, icmp6Message(137, zeros(36)))), false},
		{"redirect of the gateway", mine(tIP6, ip6(gate6, 58, icmp6Message(137, zeros(36)))), false},
		{"MLD query", mine(tIP6, ip6(ownLocal, 58, icmp6Message(130, zeros(24)))), false},
		{"MLD query where it belongs", mine(tIP6, ip6(ownLocal, 0, extension(58), icmp6Message(130, zeros(24)))), false},
		{"ICMPv6 type 195 behind hop-by-hop", mine(tIP6, ip6(ownLocal, 0, extension(58), icmp6Message(131+64, zeros(24)))), false},
		{"MLD report where it doesn't belong", mine(tIP6, ip6(ownLocal, 58, report)), false},
		{"multicast router's advertisement over IPv6", mine(tIP6, ip6(ownLocal, 58, icmp6Message(151, zeros(4)))), false},
		{"router renumbering", mine(tIP6, ip6(own6, 58, icmp6Message(138, zeros(12)))), false},
		{"ICMPv6 without a type", mine(tIP6, ip6(own6, 58)), false},
		{"UDP over IPv6 cut", mine(tIP6, ip6(own6, 17, zeros(7))), false},
	}
}

func neighbourSamples() []sample {
	const ns, na, rs = 135, 136, 133
	from := func(source netip.Addr, message []byte) []byte { return mine(tIP6, ip6(source, 58, message)) }
	ours, theirs := hardwareOption(1, ownMAC), hardwareOption(1, peerMAC)
	cut := from(own6, neighbourMessage(ns, peer6))
	oursTarget, theirsTarget := hardwareOption(2, ownMAC), hardwareOption(2, peerMAC)
	return []sample{
		{"neighbour solicitation", from(own6, neighbourMessage(ns, peer6, ours)), true},
		{"neighbour solicitation, bare", from(ownLocal, neighbourMessage(ns, gate6)), true},
		{"duplicate address detection", from(any6, neighbourMessage(ns, own6)), true},
		{"duplicate address detection with a nonce", from(any6, neighbourMessage(ns, ownLocal, nonce())), true},
		{"neighbour solicitation with two options", from(own6, neighbourMessage(ns, peer6, ours, nonce())), true},
		{"neighbour advertisement", from(own6, neighbourMessage(na, own6, oursTarget)), true},
		{"neighbour advertisement, link-local", from(own6, neighbourMessage(na, ownLocal, oursTarget)), true},
		{"router solicitation", from(ownLocal, icmp6Message(rs, zeros(4), ours)), true},
		{"router solicitation, bare", from(ownLocal, icmp6Message(rs, zeros(4))), true},
		{"router solicitation without a source", from(any6, icmp6Message(rs, zeros(4))), true},

		{"neighbour advertisement for the gateway", from(own6, neighbourMessage(na, gate6, oursTarget)), false},
		{"neighbour advertisement for the peer", from(own6, neighbourMessage(na, peer6, oursTarget)), false},
		{"neighbour advertisement for the peer, link-local", from(own6, neighbourMessage(na, linkLocal(peerMAC), oursTarget)), false},
		{"neighbour advertisement for another network", from(own6, neighbourMessage(na, netip.MustParseAddr("fd01::2"))), false},
		{"neighbour advertisement for another network, second word", from(own6, neighbourMessage(na, netip.MustParseAddr("fd00:0:1::2"))), false},
		{"neighbour advertisement for another network, third word", from(own6, neighbourMessage(na, netip.MustParseAddr("fd00::1:0:2"))), false},
		{"neighbour advertisement for what is like the link-local address, first word", from(own6, neighbourMessage(na, alike(0))), false},
		{"neighbour advertisement for what is like the link-local address, second word", from(own6, neighbourMessage(na, alike(4))), false},
		{"neighbour advertisement for what is like the link-local address, third word", from(own6, neighbourMessage(na, alike(8))), false},
		{"neighbour advertisement for no target", from(own6, neighbourMessage(na, any6)), false},
		{"neighbour advertisement without a source", from(any6, neighbourMessage(na, own6, oursTarget)), false},
		{"neighbour advertisement from the gateway", from(gate6, neighbourMessage(na, gate6, oursTarget)), false},
		{"neighbour advertisement with the peer's hardware", from(own6, neighbourMessage(na, own6, theirsTarget)), false},
		{"neighbour advertisement with the peer's hardware behind a nonce", from(own6, neighbourMessage(na, own6, nonce(), theirsTarget)), false},
		{"neighbour solicitation with the peer's hardware", from(own6, neighbourMessage(ns, peer6, theirs)), false},
		{"neighbour solicitation with hardware of another beginning", from(own6, neighbourMessage(ns, peer6, hardwareOption(1, []byte{6, 0, 0, 0, 0, 2}))), false},
		{"neighbour solicitation with hardware of another end", from(own6, neighbourMessage(ns, peer6, hardwareOption(1, []byte{2, 0, 0, 0, 1, 2}))), false},
		{"neighbour solicitation with the peer's hardware second", from(own6, neighbourMessage(ns, peer6, ours, theirs)), false},
		{"neighbour solicitation with hardware of another beginning second", from(own6, neighbourMessage(ns, peer6, nonce(), hardwareOption(1, []byte{6, 0, 0, 0, 0, 2}))), false},
		{"neighbour solicitation with three options", from(own6, neighbourMessage(ns, peer6, nonce(), nonce(), theirs)), false},
		{"neighbour solicitation with a long option", from(own6, neighbourMessage(ns, peer6, []byte{14, 2}, zeros(14))), false},
		{"neighbour solicitation with an option of no length", from(own6, neighbourMessage(ns, peer6, []byte{14, 0}, zeros(6))), false},
		{"neighbour solicitation with an option of no length, second", from(own6, neighbourMessage(ns, peer6, ours, []byte{14, 0}, zeros(6))), false},
		{"neighbour solicitation with a long hardware option", from(own6, neighbourMessage(ns, peer6, []byte{1, 2, 2, 0, 0, 0, 0, 2}, zeros(8))), false},
		{"neighbour solicitation with half an option", from(own6, neighbourMessage(ns, peer6, ours[:4])), false},
		{"neighbour solicitation cut", from(own6, neighbourMessage(ns, peer6)[:20]), false},
		{"neighbour solicitation shorter than it says", cut[:len(cut)-1], false},
		{"solicitation without a source for the peer", from(any6, neighbourMessage(ns, peer6)), false},
		{"solicitation without a source for the gateway", from(any6, neighbourMessage(ns, gate6, nonce())), false},
		{"router solicitation with the peer's hardware", from(ownLocal, icmp6Message(rs, zeros(4), theirs)), false},
	}
}

// hiddenSamples are router advertisements and servers' answers where a filter may not look.
func hiddenSamples() []sample {
	advertisement := icmp6Message(134, zeros(12))
	offer := udp(547, 546, []byte{2}, zeros(19))
	from := func(next byte, payload ...[]byte) []byte { return mine(tIP6, ip6(ownLocal, next, payload...)) }
	list := []sample{
		{"router advertisement behind hop-by-hop", from(0, extension(58), advertisement), false},
		{"router advertisement behind destination options", from(60, extension(58), advertisement), false},
		{"router advertisement behind a routing header", from(43, extension(58), advertisement), false},
		{"router advertisement behind hop-by-hop and destination options", from(0, extension(60), extension(58), advertisement), false},
		{"report, and behind it what looks like one", from(0, []byte{60, 0, 5, 2, 0, 0, 1, 0}, []byte{143, 0, 1, 4, 0, 0, 0, 0}, advertisement), false},
		{"router advertisement behind long hop-by-hop", from(0, []byte{58, 1}, zeros(6), []byte{143}, zeros(7), advertisement), false},
		{"DHCPv6 advertise behind hop-by-hop", from(0, extension(17), offer), false},
		{"DHCPv6 advertise behind destination options", from(60, extension(17), offer), false},
		{"router advertisement in the first fragment", from(44, fragmentHeader(58, 0, true), advertisement), false},
		{"router advertisement in the only fragment", from(44, fragmentHeader(58, 0, false), advertisement), false},
		{"first fragment with destination options", from(44, fragmentHeader(60, 0, true), extension(58)), false},
		{"first fragment with hop-by-hop", from(44, fragmentHeader(0, 0, true), extension(58)), false},
		{"fragment in a fragment", from(44, fragmentHeader(44, 0, true), fragmentHeader(58, 0, true), advertisement), false},
		{"first fragment without a type", from(44, fragmentHeader(58, 0, true)), false},
		{"first fragment without ports", from(44, fragmentHeader(17, 0, true)), false},
		{"neighbour advertisement in fragments", from(44, fragmentHeader(58, 0, true), neighbourMessage(136, ownLocal)), false},
		{"neighbour solicitation in fragments", from(44, fragmentHeader(58, 0, true), neighbourMessage(135, gate6)), false},
		{"MLD report in fragments", from(44, fragmentHeader(58, 0, true), icmp6Message(143, zeros(24))), false},
		{"fragment header cut", from(44, zeros(7)), false},
		{"hop-by-hop cut", from(0, extension(58)), false},
		{"MLD report behind a fragment header behind hop-by-hop", from(0, extension(44), fragmentHeader(58, 0, true), icmp6Message(143, zeros(24))), false},
	}
	for _, header := range []byte{43, 51, 60, 135, 139, 140, 253, 254} {
		list = append(list, sample{"IPv6 extension header " + string('0'+header/100) + string('0'+header/10%10) + string('0'+header%10), from(header, extension(58), advertisement), false})
	}
	return list
}

package cases

import (
	"bytes"
	"encoding/binary"
	"net"
	"net/netip"

	"github.com/sysct/sysct/internal/nettest"
)

var (
	everybody = net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	allNodes  = netip.MustParseAddr("ff02::1")
)

// ethernet is a frame.
func ethernet(to, from net.HardwareAddr, kind uint16, payload []byte) []byte {
	frame := binary.BigEndian.AppendUint16(append(bytes.Clone(to), from...), kind)
	return append(frame, payload...)
}

// arp is a message of it; operation 1 asks, 2 answers.
func arp(operation uint16, fromMAC net.HardwareAddr, from netip.Addr, toMAC net.HardwareAddr, to netip.Addr) []byte {
	m := []byte{0, 1, 8, 0, 6, 4}
	m = binary.BigEndian.AppendUint16(m, operation)
	m = append(append(m, fromMAC...), from.AsSlice()...)
	return append(append(m, toMAC...), to.AsSlice()...)
}

// ipv4 is a packet with a header of 20 bytes.
func ipv4(from, to netip.Addr, proto byte, payload []byte) []byte {
	h := make([]byte, 20)
	h[0], h[8], h[9] = 0x45, 64, proto
	binary.BigEndian.PutUint16(h[2:], uint16(20+len(payload)))
	copy(h[12:], from.AsSlice())
	copy(h[16:], to.AsSlice())
	binary.BigEndian.PutUint16(h[10:], checksum(h))
	return append(h, payload...)
}

// ipv6 is a packet; next is the header after its own.
func ipv6(from, to netip.Addr, next byte, payload []byte) []byte {
	h := make([]byte, 40)
	h[0], h[6], h[7] = 0x60, next, 255
	binary.BigEndian.PutUint16(h[4:], uint16(len(payload)))
	copy(h[8:], from.AsSlice())
	copy(h[24:], to.AsSlice())
	return append(h, payload...)
}

// udp is a datagram without a checksum, which IPv4 allows.
func udp(from, to uint16, payload []byte) []byte {
	h := binary.BigEndian.AppendUint16(nil, from)
	h = binary.BigEndian.AppendUint16(h, to)
	h = binary.BigEndian.AppendUint16(h, uint16(8+len(payload)))
	return append(append(h, 0, 0), payload...)
}

// icmp6 is a message with its checksum.
func icmp6(from, to netip.Addr, kind byte, body []byte) []byte {
	m := append([]byte{kind, 0, 0, 0}, body...)
	pseudo := append(from.AsSlice(), to.AsSlice()...)
	pseudo = binary.BigEndian.AppendUint32(pseudo, uint32(len(m)))
	pseudo = append(pseudo, 0, 0, 0, 58)
	binary.BigEndian.PutUint16(m[2:], checksum(append(pseudo, m...)))
	return m
}

// checksum is that of the Internet protocols. Source: RFC 1071.
func checksum(data []byte) uint16 {
	var sum uint32
	for i := 0; i < len(data); i += 2 {
		word := uint32(data[i]) << 8
		if i+1 < len(data) {
			word |= uint32(data[i+1])
		}
		sum += word
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// advertisement says by NDP that an address is at a hardware address: RFC 4861, 4.4.
func advertisement(target netip.Addr, mac net.HardwareAddr) []byte {
	body := append([]byte{0x60, 0, 0, 0}, target.AsSlice()...) // solicited, override
	return append(append(body, 2, 1), mac...)
}

// routerAdvertisement offers a way out and a prefix: RFC 4861, 4.2.
func routerAdvertisement(mac net.HardwareAddr) []byte {
	body := []byte{64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0}
	body = append(append(body, 1, 1), mac...)
	prefix := netip.MustParseAddr("2001:db8:bad::").AsSlice()
	return append(append(body, 3, 4, 64, 0xc0, 0, 0, 14, 16, 0, 0, 14, 16, 0, 0, 0, 0), prefix...)
}

// offer is what a DHCP server says, as far as it tells one.
func offer() []byte {
	m := make([]byte, 240)
	m[0], m[1], m[2] = 2, 1, 6
	copy(m[236:], []byte{0x63, 0x82, 0x53, 0x63})
	return append(m, 53, 1, 2, 255)
}

// spoofed are frames by which a guest passes for its peer, for the gateway, or for a
// server of the network, by name.
func spoofed(me, peer *guest, gate *guest) map[string][]byte {
	linkLocal := netip.MustParseAddr("fe80::bad")
	na := advertisement(gate.v6, me.mac)
	return map[string][]byte{
		"the gateway's MAC":  ethernet(peer.mac, gate.mac, 0x0800, ipv4(me.v4, peer.v4, 17, udp(9, 9, nil))),
		"a foreign MAC":      ethernet(peer.mac, net.HardwareAddr{2, 0, 0, 0, 0xba, 0xd0}, 0x88b5, []byte("no protocol")),
		"the gateway's IPv4": ethernet(peer.mac, me.mac, 0x0800, ipv4(gate.v4, peer.v4, 17, udp(9, 9, nil))),
		"the gateway's IPv6": ethernet(peer.mac, me.mac, 0x86dd, ipv6(gate.v6, peer.v6, 17, udp(9, 9, nil))),
		"ARP for the gateway": ethernet(peer.mac, me.mac, 0x0806,
			arp(2, me.mac, gate.v4, peer.mac, peer.v4)),
		"ARP for the peer, to all": ethernet(everybody, me.mac, 0x0806, arp(1, me.mac, peer.v4, make([]byte, 6), peer.v4)),
		"ARP with another MAC":     ethernet(peer.mac, me.mac, 0x0806, arp(2, gate.mac, me.v4, peer.mac, peer.v4)),
		"NDP for the gateway":      ethernet(peer.mac, me.mac, 0x86dd, ipv6(me.v6, peer.v6, 58, icmp6(me.v6, peer.v6, 136, na))),
		"a router advertisement": ethernet(net.HardwareAddr{0x33, 0x33, 0, 0, 0, 1}, me.mac, 0x86dd,
			ipv6(linkLocal, allNodes, 58, icmp6(linkLocal, allNodes, 134, routerAdvertisement(me.mac)))),
		"a router advertisement behind hop-by-hop options": ethernet(peer.mac, me.mac, 0x86dd,
			ipv6(me.v6, peer.v6, 0, append([]byte{58, 0, 1, 4, 0, 0, 0, 0}, icmp6(me.v6, peer.v6, 134, routerAdvertisement(me.mac))...))),
		"an IPv6 redirect": ethernet(peer.mac, me.mac, 0x86dd,
			ipv6(me.v6, peer.v6, 58, icmp6(me.v6, peer.v6, 137, make([]byte, 36)))),
		"an offer of DHCP": ethernet(everybody, me.mac, 0x0800, ipv4(me.v4, netip.AddrFrom4([4]byte{255, 255, 255, 255}), 17, udp(67, 68, offer()))),
		"an answer of DHCPv6": ethernet(peer.mac, me.mac, 0x86dd,
			ipv6(me.v6, peer.v6, 17, udp(547, 546, []byte{7, 0, 0, 1}))),
		"a frame of a VLAN":      ethernet(peer.mac, me.mac, 0x8100, append([]byte{0, 5, 8, 0}, ipv4(gate.v4, peer.v4, 17, udp(10, 10, nil))...)),
		"no protocol of the net": ethernet(peer.mac, me.mac, 0x88b5, []byte("no protocol")),
	}
}

// honest is a frame that a guest may send.
func honest(me, peer *guest) []byte {
	return ethernet(peer.mac, me.mac, 0x0800, ipv4(me.v4, peer.v4, 17, udp(9, 9, []byte("as it should be"))))
}

// received is how a packet socket shows a frame: a VLAN's tag isn't in it any more.
func received(frame []byte) []byte {
	if nettest.EtherType(frame) != 0x8100 {
		return frame
	}
	return append(bytes.Clone(frame[:12]), frame[16:]...)
}

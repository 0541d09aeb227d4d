package guard

import (
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
)

var broadcast = net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// big is a number of 16 bits on the wire.
func big(n int) []byte { return binary.BigEndian.AppendUint16(nil, uint16(n)) }

// eth is a frame.
func eth(to, from net.HardwareAddr, kind int, payload ...[]byte) []byte {
	return slices.Concat(append([][]byte{to, from, big(kind)}, payload...)...)
}

// mine is a frame of the guest's.
func mine(kind int, payload ...[]byte) []byte { return eth(peerMAC, ownMAC, kind, payload...) }

func arpPacket(op int, mac net.HardwareAddr, sender, target netip.Addr) []byte {
	return slices.Concat([]byte{0, 1, 8, 0, 6, 4}, big(op), mac, sender.AsSlice(), make([]byte, 6), target.AsSlice())
}

// ip4 is an IPv4 packet without options; fragment is its field of that name.
func ip4(from netip.Addr, proto byte, fragment int, payload ...[]byte) []byte {
	body := slices.Concat(payload...)
	return slices.Concat([]byte{0x45, 0}, big(20+len(body)), []byte{0, 1}, big(fragment), []byte{64, proto, 0, 0}, from.AsSlice(), peer4.AsSlice(), body)
}

// ip4Options is the same with so many words of options.
func ip4Options(words int, from netip.Addr, proto byte, payload ...[]byte) []byte {
	p := ip4(from, proto, 0, payload...)
	p[0] += byte(words)
	return slices.Insert(p, 20, make([]byte, 4*words)...)
}

func ip6(from netip.Addr, next byte, payload ...[]byte) []byte {
	body := slices.Concat(payload...)
	return slices.Concat([]byte{0x60, 0, 0, 0}, big(len(body)), []byte{next, 255}, from.AsSlice(), peer6.AsSlice(), body)
}

func udp(from, to int, payload ...[]byte) []byte {
	body := slices.Concat(payload...)
	return slices.Concat(big(from), big(to), big(8+len(body)), []byte{0, 0}, body)
}

// bootp is a DHCP request, as far as it matters.
func bootp(op byte, relay netip.Addr, mac net.HardwareAddr) []byte {
	return slices.Concat([]byte{op, 1, 6, 0}, make([]byte, 20), relay.AsSlice(), mac, make([]byte, 206), []byte{99, 130, 83, 99, 53, 1, 1, 255})
}

// extension is a header of eight bytes before another.
func extension(next byte) []byte { return []byte{next, 0, 5, 2, 0, 0, 1, 0} }

// fragment6 is the header of a fragment; offset is in units of eight bytes.
func fragmentHeader(next byte, offset int, moreFollow bool) []byte {
	field := offset << 3
	if moreFollow {
		field |= 1
	}
	return slices.Concat([]byte{next, 0}, big(field), []byte{0, 0, 0, 7})
}

func icmp6Message(kind byte, body ...[]byte) []byte {
	return slices.Concat(append([][]byte{{kind, 0, 0, 0}}, body...)...)
}

// neighbourMessage is a neighbour solicitation or advertisement.
func neighbourMessage(kind byte, target netip.Addr, options ...[]byte) []byte {
	return icmp6Message(kind, append([][]byte{{0, 0, 0, 0}, target.AsSlice()}, options...)...)
}

// hardwareOption is option 1 (of who asks) or 2 (of who is asked for).
func hardwareOption(kind byte, mac net.HardwareAddr) []byte {
	return slices.Concat([]byte{kind, 1}, mac)
}

func nonce() []byte { return []byte{14, 1, 1, 2, 3, 4, 5, 6} }

// zeros stand for what nobody looks at.
func zeros(n int) []byte { return make([]byte, n) }

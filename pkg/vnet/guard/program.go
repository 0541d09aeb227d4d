package guard

import (
	"net/netip"

	"github.com/sysct/sysct/internal/bpf"
	"golang.org/x/sys/unix"
)

// Where things stand in a frame.
const (
	sourceMAC = 6
	etherType = 12
	network   = 14 // the header of ARP or IP
)

// verdictPass lets the filters behind this one have the frame, TC_ACT_OK wouldn't.
// Source: linux/pkt_cls.h.
const (
	verdictPass = -1 // TC_ACT_UNSPEC
	verdictDrop = 2  // TC_ACT_SHOT
)

// program is the code for a policy. It reads a frame from its beginning, and the first thing
// that isn't as it must be drops it.
func program(p Policy) []bpf.Instruction {
	v4, v6 := p.own()
	a := newAssembler()
	a.ethernet(p)
	a.arp(p, v4)
	a.ipv4(p, v4)
	a.ipv6(p, v6)
	a.icmp6(p, v6)
	a.label(pass)
	a.end(verdictPass)
	a.label(drop)
	a.end(verdictDrop)
	return a.finish()
}

// ethernet checks the tag, the source, and the type, and leads on by that. The kernel has
// taken the outer tag of a VLAN out of the frame; one within it is a type that isn't known.
func (a *assembler) ethernet(p Policy) {
	const vlanPresent = 20 // in struct __sk_buff
	a.copy(frame, r1)
	a.emit(unix.BPF_LDX|unix.BPF_MEM|unix.BPF_W, r2, frame, vlanPresent, 0)
	a.ifNot(r2, 0, drop)
	a.set(at, 0)
	a.fetch(0, head, 34)
	a.hardware(head+sourceMAC, p)
	a.get(byte2, r2, head+etherType)
	a.ifEqual(r2, half(unix.ETH_P_IP), "ipv4")
	a.ifEqual(r2, half(unix.ETH_P_IPV6), "ipv6")
	a.ifNot(r2, half(unix.ETH_P_ARP), drop)
}

// hardware drops what hasn't the guest's own hardware address at a place.
func (a *assembler) hardware(place int16, p Policy) {
	if place%4 != 0 {
		a.get(byte2, r2, place)
		a.ifNot(r2, half(uint16(p.MAC[0])<<8|uint16(p.MAC[1])), drop)
		a.get(byte4, r2, place+2)
		a.ifNot(r2, word(p.MAC[2:]...), drop)
		return
	}
	a.get(byte4, r2, place)
	a.ifNot(r2, word(p.MAC[:4]...), drop)
	a.get(byte2, r2, place+4)
	a.ifNot(r2, half(uint16(p.MAC[4])<<8|uint16(p.MAC[5])), drop)
}

// arp checks what a guest says that an address's hardware is: of its own only. The frame's
// whole ARP header is 28 bytes; the last of them, whom it is for, aren't looked at.
func (a *assembler) arp(p Policy, own []netip.Addr) {
	const header = head + network
	a.get(byte4, r2, header) // hardware type Ethernet, protocol type IPv4
	a.ifNot(r2, word(0, 1, 8, 0), drop)
	a.get(byte4, r2, header+4) // their lengths, and a request or reply
	a.ifEqual(r2, word(6, 4, 0, 1), "arp sender")
	a.ifNot(r2, word(6, 4, 0, 2), drop)
	a.label("arp sender")
	a.hardware(header+8, p)
	if p.Any4 {
		a.goTo(pass)
		return
	}
	// Two halves: the address isn't at a multiple of four.
	a.get(byte2, r2, header+14)
	a.get(byte2, r3, header+16)
	for _, addr := range append(own, netip.IPv4Unspecified()) { // the last is a probe's: RFC 5227
		b, next := addr.As4(), a.fresh()
		a.ifNot(r2, half(uint16(b[0])<<8|uint16(b[1])), next)
		a.ifEqual(r3, half(uint16(b[2])<<8|uint16(b[3])), pass)
		a.label(next)
	}
	a.goTo(drop)
}

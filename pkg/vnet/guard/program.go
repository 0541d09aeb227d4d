package guard

import (
	"encoding/binary"
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
	a.set(at, 0)
	a.fetch(0, head, 34)
	a.emit(unix.BPF_LDX|unix.BPF_MEM|unix.BPF_W, r1, frame, vlanPresent, 0)
	a.mathOf(unix.BPF_OR, wrong, r1)
	a.hardware(head+sourceMAC, p)
	a.dropWrong()
	a.get(byte2, r2, head+etherType)
	a.ifEqual(r2, half(unix.ETH_P_IP), "ipv4")
	a.ifEqual(r2, half(unix.ETH_P_IPV6), "ipv6")
	a.ifNot(r2, half(unix.ETH_P_ARP), drop)
}

// hardware sets wrong if the guest's own hardware address isn't at a place.
func (a *assembler) hardware(place int16, p Policy) {
	if place%4 != 0 {
		a.must(byte2, place, half(uint16(p.MAC[0])<<8|uint16(p.MAC[1])))
		a.must(byte4, place+2, word(p.MAC[2:]...))
		return
	}
	a.must(byte4, place, word(p.MAC[:4]...))
	a.must(byte2, place+4, half(uint16(p.MAC[4])<<8|uint16(p.MAC[5])))
}

// arp checks what a guest says that an address's hardware is: of its own only. Whom it is
// for, which are the last bytes, isn't looked at.
func (a *assembler) arp(p Policy, own []netip.Addr) {
	const header = head + network
	a.set(wrong, 0)
	a.must(byte4, header, word(0, 1, 8, 0)) // hardware type Ethernet, protocol type IPv4
	a.must(byte2, header+4, half(6<<8|4))   // their lengths
	a.must(byte1, header+6, 0)
	a.get(byte1, r1, header+7) // a request or reply: 1 or 2
	a.math(unix.BPF_SUB, r1, 1)
	a.math(unix.BPF_RSH, r1, 1)
	a.mathOf(unix.BPF_OR, wrong, r1)
	a.hardware(header+8, p)
	a.dropWrong()
	if p.Any4 {
		a.goTo(pass)
		return
	}
	// By halves: the address isn't at a multiple of four.
	a.get(byte1, r2, header+14)
	a.get(byte1, r3, header+15)
	a.get(byte2, r4, header+16)
	a.hostOrder(r4)
	a.math(unix.BPF_LSH, r2, 24)
	a.math(unix.BPF_LSH, r3, 16)
	a.mathOf(unix.BPF_OR, r2, r3)
	a.mathOf(unix.BPF_OR, r2, r4)
	for _, addr := range append(own, netip.IPv4Unspecified()) { // the last is a probe's: RFC 5227
		b := addr.As4()
		a.ifEqual(r2, binary.BigEndian.Uint32(b[:]), pass)
	}
	a.goTo(drop)
}

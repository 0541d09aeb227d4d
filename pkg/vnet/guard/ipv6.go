package guard

import (
	"net/netip"

	"golang.org/x/sys/unix"
)

// ipv6 checks the source, and finds what is behind the header. Extension headers are where
// router advertisements hide from filters (RFC 7113): but for the two cases that a guest
// needs, a header before the real one drops the packet.
func (a *assembler) ipv6(p Policy, own []netip.Addr) {
	const header = head + network
	a.label("ipv6")
	a.fetch(34, head+34, 20)
	a.get(byte1, r1, header)
	a.math(unix.BPF_RSH, r1, 4)
	a.xor(r1, 6)
	a.mathOf(unix.BPF_OR, wrong, r1)
	a.dropWrong()
	a.get(byte1, kind, header+6)
	a.set(at, network+40)
	a.set(more, 1)
	a.whose(header+8, own, "ipv6 next")
	a.mathOf(unix.BPF_OR, r2, r3)
	a.mathOf(unix.BPF_OR, r2, r4)
	a.mathOf(unix.BPF_OR, r2, r5)
	if p.Any6 {
		a.ifNot(r2, 0, "ipv6 next")
	} else {
		a.ifNot(r2, 0, drop)
	}
	a.set(more, 0) // ::, so it can only be about an address that the guest hasn't yet
	a.label("ipv6 next")
	a.ifEqual(kind, unix.IPPROTO_HOPOPTS, "hop by hop")
	a.ifEqual(kind, unix.IPPROTO_ICMPV6, "icmp6")
	a.ifEqual(more, 0, drop)
	a.ifNot(kind, unix.IPPROTO_FRAGMENT, "ipv6 last")
	a.fragment6()
	a.label("ipv6 last")
	a.ifEqual(kind, unix.IPPROTO_UDP, "udp6")
	a.extensions()
	a.hopByHop()
	a.udp6()
}

// whose jumps where the IPv6 address at a place is one of own. Else it leaves the address's four
// words in r2 to r5.
func (a *assembler) whose(place int16, own []netip.Addr, to string) {
	for i, reg := range []uint8{r2, r3, r4, r5} {
		a.get(byte4, reg, place+int16(4*i))
	}
	for _, addr := range own {
		b := addr.As16()
		a.copy(r0, r2)
		a.xor(r0, word(b[:4]...))
		for i, reg := range []uint8{r3, r4, r5} {
			a.copy(r1, reg)
			a.xor(r1, word(b[4*i+4:4*i+8]...))
			a.mathOf(unix.BPF_OR, r0, r1)
		}
		a.ifEqual(r0, 0, to)
	}
}

// extensions drops what is an extension header, or may become one.
func (a *assembler) extensions() {
	const (
		low  = 1<<unix.IPPROTO_HOPOPTS | 1<<unix.IPPROTO_ROUTING | 1<<unix.IPPROTO_FRAGMENT | 1<<unix.IPPROTO_AH | 1<<unix.IPPROTO_DSTOPTS
		high = 1<<(unix.IPPROTO_MH-128) | 1<<(139 /* host identity */ -128) | 1<<(140 /* shim6 */ -128)
	)
	a.ifAbove(kind, 191, drop) // unknown, and experiments
	a.setLong(r2, low)
	a.ifBelow(kind, 64, "extension")
	a.ifBelow(kind, 128, pass)
	a.set(r2, high)
	a.label("extension")
	a.math(unix.BPF_AND, kind, 63)
	a.mathOf(unix.BPF_RSH, r2, kind)
	a.ifAny(r2, 1, drop)
	a.goTo(pass)
}

// hopByHop allows the header of eight bytes with which a guest says what multicast it listens to:
// RFC 2710 and 3810 ask for it there.
func (a *assembler) hopByHop() {
	const types = 1 | 1<<(mldDone-mldReport) | 1<<(mld2Report-mldReport)
	a.label("hop by hop")
	a.fetch(0, piece, 9)
	a.must(byte2, piece, half(unix.IPPROTO_ICMPV6<<8)) // the next header, and a length of eight bytes
	a.dropWrong()
	a.get(byte1, r2, piece+8)
	a.math(unix.BPF_SUB, r2, mldReport)
	a.ifAbove(r2, mld2Report-mldReport, drop)
	a.set(r3, types)
	a.mathOf(unix.BPF_RSH, r3, r2)
	a.ifAny(r3, 1, pass)
	a.goTo(drop)
}

// fragment6 allows those behind the first. In the first there must be what tells whether it
// may pass, which is left in kind and at, and nothing of neighbour discovery, which has no
// fragments (RFC 6980).
func (a *assembler) fragment6() {
	a.fetch(0, piece, 8) // what is cut is zero, a first fragment that begins with hop-by-hop
	a.get(byte2, r2, piece+2)
	a.ifAny(r2, half(0xfff8), pass)
	a.get(byte1, kind, piece)
	a.math(unix.BPF_ADD, at, 8)
	a.ifNot(kind, unix.IPPROTO_ICMPV6, "ipv6 last")
	a.fetch(0, piece, 1)
	a.dropWrong()
	a.get(byte1, r2, piece)
	a.ifBelow(r2, echoReply+1, pass) // errors and echoes
	a.goTo(drop)
}

// udp6 drops what a DHCPv6 server sends, and what a relay tells one.
func (a *assembler) udp6() {
	const relayForward = 12 // and the relay's answer is the next one
	a.label("udp6")
	a.fetch(0, piece, 8)
	a.dropWrong()
	a.get(byte2, r2, piece)
	a.ifEqual(r2, half(dhcp6Server), drop)
	a.get(byte2, r2, piece+2)
	a.ifEqual(r2, half(dhcp6Client), drop)
	a.ifNot(r2, half(dhcp6Server), pass)
	a.fetch(8, piece, 1)
	a.copy(r1, at)
	a.xor(r1, network+40) // a fragment's is further
	a.mathOf(unix.BPF_OR, wrong, r1)
	a.dropWrong()
	a.get(byte1, r2, piece)
	a.math(unix.BPF_RSH, r2, 1)
	a.ifNot(r2, relayForward/2, pass)
	a.goTo(drop)
}

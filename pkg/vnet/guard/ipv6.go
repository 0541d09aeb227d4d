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
	a.get(byte1, r2, header)
	a.math(unix.BPF_RSH, r2, 4)
	a.ifNot(r2, 6, drop)
	a.get(byte1, kind, header+6)
	a.set(at, network+40)
	a.set(more, 1)
	a.whose(header+8, own, "ipv6 next")
	a.copy(r0, r2)
	for _, reg := range []uint8{r3, r4, r5} {
		a.mathX(unix.BPF_OR, r0, reg)
	}
	if p.Any6 {
		a.ifNot(r0, 0, "ipv6 next")
	} else {
		a.ifNot(r0, 0, drop)
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
	for _, extension := range []uint32{unix.IPPROTO_HOPOPTS, unix.IPPROTO_ROUTING, unix.IPPROTO_FRAGMENT, unix.IPPROTO_AH, unix.IPPROTO_DSTOPTS,
		unix.IPPROTO_MH, 139 /* host identity */, 140 /* shim6 */, 253, 254 /* experiments */} {
		a.ifEqual(kind, extension, drop)
	}
	a.goTo(pass)
	a.hopByHop()
	a.udp6()
}

// whose jumps where the IPv6 address at a place is one of own. It leaves the address's four words
// in r2 to r5.
func (a *assembler) whose(place int16, own []netip.Addr, to string) {
	words := []uint8{r2, r3, r4, r5}
	for i, reg := range words {
		a.get(byte4, reg, place+int16(4*i))
	}
	for _, addr := range own {
		b, next := addr.As16(), a.fresh()
		// The last word first: guests of one network differ there.
		a.ifNot(r5, word(b[12:]...), next)
		a.ifNot(r4, word(b[8:12]...), next)
		a.ifNot(r3, word(b[4:8]...), next)
		a.ifEqual(r2, word(b[:4]...), to)
		a.label(next)
	}
}

// hopByHop allows the header of eight bytes with which a guest says what multicast it listens to:
// RFC 2710 and 3810 ask for it there.
func (a *assembler) hopByHop() {
	a.label("hop by hop")
	a.fetch(0, piece, 9)
	a.get(byte2, r2, piece) // the next header, and a length of eight bytes
	a.ifNot(r2, half(unix.IPPROTO_ICMPV6<<8), drop)
	a.get(byte1, r2, piece+8)
	for _, t := range []uint32{mldReport, mldDone, mld2Report} {
		a.ifEqual(r2, t, pass)
	}
	a.goTo(drop)
}

// fragment6 allows those behind the first. In the first there must be what tells whether it
// may pass, which is left in kind and at, and nothing of neighbour discovery, which has no fragments (RFC 6980).
func (a *assembler) fragment6() {
	a.fetch(0, piece, 8)
	a.get(byte2, r2, piece+2)
	a.ifAny(r2, half(0xfff8), pass)
	a.get(byte1, kind, piece)
	a.math(unix.BPF_ADD, at, 8)
	a.ifNot(kind, unix.IPPROTO_ICMPV6, "ipv6 last")
	a.fetch(0, piece, 1)
	a.get(byte1, r2, piece)
	a.errorsAndEchoes()
	a.goTo(drop)
}

// udp6 drops what a DHCPv6 server sends, and what a relay tells one.
func (a *assembler) udp6() {
	const relayForward = 12 // and the relay's answer is the next one
	a.label("udp6")
	a.fetch(0, piece, 8)
	a.get(byte2, r2, piece)
	a.ifEqual(r2, half(dhcp6Server), drop)
	a.get(byte2, r2, piece+2)
	a.ifNot(r2, half(dhcp6Server), pass)
	a.ifNot(at, network+40, drop) // a fragment
	a.fetch(8, piece, 1)
	a.get(byte1, r2, piece)
	a.ifEqual(r2, relayForward, drop)
	a.ifNot(r2, relayForward+1, pass)
	a.goTo(drop)
}

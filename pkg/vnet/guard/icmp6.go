package guard

import (
	"net/netip"

	"golang.org/x/sys/unix"
)

// Types of ICMPv6 messages. Those up to echo reply are errors and echoes. Source: IANA's list of
// parameters of ICMPv6.
const (
	echoReply              = 129
	mldReport              = 131
	mldDone                = 132
	routerSolicitation     = 133
	neighbourSolicitation  = 135
	neighbourAdvertisement = 136
	mld2Report             = 143
)

// icmp6 allows what a host says, and nothing else: no advertisements and redirects of routers,
// no queries of multicast routers, by which a bridge takes their sender for one.
func (a *assembler) icmp6(p Policy, own []netip.Addr) {
	a.label("icmp6")
	a.fetch(0, piece, 1)
	a.dropWrong()
	a.get(byte1, r2, piece)
	a.ifEqual(r2, neighbourSolicitation, "neighbour")
	a.ifEqual(r2, routerSolicitation, "router solicitation")
	a.ifEqual(more, 0, drop)
	a.ifBelow(r2, echoReply+1, pass)
	a.ifNot(r2, neighbourAdvertisement, drop)
	a.set(more, 0)
	a.neighbour(p, own)
}

// neighbour checks what a guest says about neighbours: it advertises its own addresses only, and
// asks without a source about its own only, as others take that for a claim.
func (a *assembler) neighbour(p Policy, own []netip.Addr) {
	const fixed = 24 // bytes of a neighbour solicitation or advertisement; the target's are its last
	a.label("neighbour")
	a.fetch(0, piece, fixed)
	a.dropWrong()
	if !p.Any6 {
		a.ifNot(more, 0, "neighbour options")
		a.whose(piece+8, own, "neighbour options")
		a.goTo(drop)
	}
	a.label("neighbour options")
	a.set(r2, fixed)
	a.goTo("options")
	a.label("router solicitation")
	a.set(r2, 8)
	a.label("options")
	a.get(byte2, r3, head+network+4)
	a.hostOrder(r3)
	a.copy(more, at)
	a.mathOf(unix.BPF_ADD, more, r3)
	a.mathOf(unix.BPF_ADD, at, r2)
	a.options(p)
}

// maxOptions is how many options one message has: hosts send the hardware address and, with
// duplicate address detection, a nonce (RFC 7527).
const maxOptions = 2

// options checks those from at on, up to the packet's end in more: each has eight bytes, which
// are the guest's own hardware address if they are one. What isn't filled to its last byte is
// dropped.
func (a *assembler) options(p Policy) {
	const source, target = 1, 2
	for range maxOptions {
		next := a.fresh()
		a.ifSame(at, more, pass)
		a.fetch(0, option, 8)
		a.must(byte1, option+1, 1) // the length, in units of eight bytes
		a.get(byte1, r2, option)
		a.math(unix.BPF_SUB, r2, source)
		a.ifAbove(r2, target-source, next)
		a.hardware(option+2, p)
		a.label(next)
		a.dropWrong()
		a.math(unix.BPF_ADD, at, 8)
	}
	a.ifSame(at, more, pass)
	a.goTo(drop)
}

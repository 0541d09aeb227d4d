package guard

import (
	"net/netip"

	"golang.org/x/sys/unix"
)

// Types of ICMPv6 messages. Source: IANA's list of parameters of ICMPv6.
const (
	destinationUnreachable = 1
	parameterProblem       = 4
	echoRequest            = 128
	echoReply              = 129
	mldReport              = 131
	mldDone                = 132
	routerSolicitation     = 133
	neighbourSolicitation  = 135
	neighbourAdvertisement = 136
	nodeQuery              = 139
	nodeReply              = 140
	mld2Report             = 143
)

// icmp6 allows what a host says, and nothing else: no advertisements and redirects of routers,
// no queries of multicast routers, by which a bridge takes their sender for one.
func (a *assembler) icmp6(p Policy, own []netip.Addr) {
	a.label("icmp6")
	a.fetch(0, piece, 1)
	a.get(byte1, r2, piece)
	a.ifEqual(r2, neighbourSolicitation, "neighbour solicitation")
	a.ifEqual(r2, routerSolicitation, "router solicitation")
	a.ifEqual(more, 0, drop)
	a.ifEqual(r2, neighbourAdvertisement, "neighbour advertisement")
	a.errorsAndEchoes()
	a.ifEqual(r2, nodeQuery, pass)
	a.ifEqual(r2, nodeReply, pass)
	a.goTo(drop)
	a.neighbour(p, own)
}

// errorsAndEchoes passes what any packet may be answered by, with its type in r2, from an
// address of the guest's.
func (a *assembler) errorsAndEchoes() {
	next := a.fresh()
	a.ifBelow(r2, destinationUnreachable, next)
	a.ifBelow(r2, parameterProblem+1, pass)
	a.label(next)
	a.ifEqual(r2, echoRequest, pass)
	a.ifEqual(r2, echoReply, pass)
}

// neighbour checks what a guest says about neighbours: it advertises its own addresses only, and
// asks without a source about its own only, as others take that for a claim.
func (a *assembler) neighbour(p Policy, own []netip.Addr) {
	const fixed = 24 // bytes of a neighbour solicitation or advertisement; the target's are its last
	a.label("neighbour solicitation")
	a.fetch(0, piece, fixed)
	a.ifNot(more, 0, "neighbour options")
	a.goTo("neighbour target")
	a.label("neighbour advertisement")
	a.fetch(0, piece, fixed)
	a.label("neighbour target")
	if !p.Any6 {
		a.whose(piece+8, own, "neighbour options")
		a.goTo(drop)
	}
	a.label("neighbour options")
	a.set(r2, fixed)
	a.goTo("options")
	a.label("router solicitation")
	a.set(r2, 8)
	a.label("options")
	a.copy(more, at)
	a.get(byte2, r3, head+network+4)
	a.hostOrder(r3)
	a.mathX(unix.BPF_ADD, more, r3)
	a.mathX(unix.BPF_ADD, at, r2)
	a.options(p)
}

// maxOptions is how many options one message has: there are two in any that a kernel sends.
const maxOptions = 4

// options checks those from at on, up to the packet's end in more: a hardware address is the
// guest's own. What isn't filled by options to its last byte is dropped.
func (a *assembler) options(p Policy) {
	const source, target = 1, 2
	for range maxOptions {
		check, next := a.fresh(), a.fresh()
		a.ifSame(at, more, pass)
		a.fetch(0, option, 8)
		a.get(byte1, r3, option+1) // the length in units of eight bytes
		a.ifEqual(r3, 0, drop)
		a.get(byte1, r2, option)
		a.ifEqual(r2, source, check)
		a.ifNot(r2, target, next)
		a.label(check)
		a.ifNot(r3, 1, drop)
		a.hardware(option+2, p)
		a.label(next)
		a.get(byte1, r3, option+1)
		a.math(unix.BPF_LSH, r3, 3)
		a.mathX(unix.BPF_ADD, at, r3)
	}
	a.ifSame(at, more, pass)
	a.goTo(drop)
}

package publish

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/vnet"
	"github.com/sysct/sysct/pkg/vnet/nft"
)

// bridgeAddresses are those of the guest's networks. Their name servers keep port 53 of
// them, published or not.
func bridgeAddresses(s *vnet.Setup) []netip.Addr {
	var out []netip.Addr
	for _, n := range s.Networks {
		for _, p := range []netip.Prefix{n.IPv4, n.IPv6} {
			if p.IsValid() {
				out = append(out, p.Addr())
			}
		}
	}
	return out
}

// free says whether no program of the host listens where a published port would take its
// traffic away, by trying to bind(2) it. A listener on a loopback address loses nothing,
// unless the port is published there as well; nor does one on a bridge of sysct's.
func free(p vnet.Publish, ours []netip.Addr) error {
	for _, at := range bindAddresses(p) {
		err := tryBind(p.Proto, at, p.Port)
		if err == nil {
			continue
		}
		if !errors.Is(err, unix.EADDRINUSE) {
			return fmt.Errorf("cannot publish port %d/%s: bind %s: %w", p.Port, p.Proto, at, err)
		}
		found, err := listeners(p.Proto, p.Port)
		if err != nil {
			return &nft.TakenError{Publish: p, By: "a program of the host"}
		}
		// None at all is the port of a connection that was made from here, or of a socket
		// that is connected: their packets are no new traffic, and stay theirs.
		for _, l := range found {
			if l.harms(p, at, ours) {
				return &nft.TakenError{Publish: p, By: l.owner()}
			}
		}
	}
	return nil
}

// harms says whether a listener is in the way of a published port at one of the addresses
// that this would be bound to.
func (l listener) harms(p vnet.Publish, at netip.Addr, ours []netip.Addr) bool {
	switch {
	case slices.Contains(ours, l.at):
		return false
	case l.at.IsLoopback():
		return p.Loopback && slices.Contains(loopbacks[:], l.at) && overlap(l.at, at)
	case l.at.Is4() != at.Is4():
		return l.at.IsUnspecified() // :: has IPv4 too, if it likes
	}
	return overlap(l.at, at)
}

// bindAddresses are where a published port is bound to be tried.
func bindAddresses(p vnet.Publish) []netip.Addr {
	if p.Address.IsValid() {
		list := []netip.Addr{p.Address}
		if p.Loopback {
			list = append(list, loopbacks[:]...)
		}
		return list
	}
	var list []netip.Addr
	if p.Guest4.IsValid() || p.Loopback {
		list = append(list, netip.IPv4Unspecified())
	}
	if p.Guest6.IsValid() || p.Loopback {
		list = append(list, netip.IPv6Unspecified())
	}
	return list
}

var loopbacks = [2]netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}

// overlap says whether one of two addresses is the other, or stands for all.
func overlap(a, b netip.Addr) bool { return a == b || a.IsUnspecified() || b.IsUnspecified() }

// tryBind binds a port and gives it back. With SO_REUSEADDR, as every server does: what is
// left of connections that ended takes no port, a listener does. With IP_FREEBIND, for
// an address that the host gets later. A host without IPv6 has nobody who listens there.
func tryBind(proto string, at netip.Addr, port uint16) error {
	kind := unix.SOCK_STREAM
	if proto == "udp" {
		kind = unix.SOCK_DGRAM
	}
	domain := unix.AF_INET
	if at.Is6() {
		domain = unix.AF_INET6
	}
	fd, err := unix.Socket(domain, kind|unix.SOCK_CLOEXEC, 0)
	if errors.Is(err, unix.EAFNOSUPPORT) {
		return nil
	}
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if kind == unix.SOCK_STREAM {
		// Two udp sockets that both have it share a port.
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	}
	unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_FREEBIND, 1)
	if domain == unix.AF_INET6 {
		unix.SetsockoptInt(fd, unix.SOL_IPV6, unix.IPV6_V6ONLY, 1)
		err = unix.Bind(fd, &unix.SockaddrInet6{Port: int(port), Addr: at.As16()})
	} else {
		err = unix.Bind(fd, &unix.SockaddrInet4{Port: int(port), Addr: at.As4()})
	}
	if errors.Is(err, unix.EADDRNOTAVAIL) {
		return nil
	}
	return err
}

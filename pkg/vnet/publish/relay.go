package publish

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime/debug"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/vnet"
	"github.com/sysct/sysct/pkg/vnet/nft"
)

// initFD is where the relay has the pidfd of the guest's init.
const initFD = 3

// Relay is the process sysct-net relay: it passes on what comes to a guest's published
// ports on 127.0.0.1 and ::1. It reads the ports as one line of JSON from in, binds
// them, gives up all that it may do as root, writes "done" or an error to out, and ends
// with the guest's init, whose pidfd is its descriptor 3. It outlives whoever started it.
// On return the process is to exit; the error is told already.
//
// It may be talked to by every user of the host, and talks to the guest: it bounds what
// it keeps of both, and has nothing that one of them could take over.
func Relay(in io.Reader, out io.Writer) error {
	err := relay(in, out)
	if err != nil {
		fmt.Fprintln(out, err)
	}
	return err
}

func relay(in io.Reader, out io.Writer) error {
	var list []vnet.Publish
	if err := json.NewDecoder(in).Decode(&list); err != nil {
		return fmt.Errorf("cannot read the ports of the relay: %w", err)
	}
	if err := closeInherited(); err != nil {
		return err
	}
	debug.SetGCPercent(20)
	limits, err := newBounds()
	if err != nil {
		return err
	}
	serve, err := bind(list, limits)
	if err != nil {
		return err
	}
	if err := giveUp(); err != nil {
		return err
	}
	for _, s := range serve {
		go s()
	}
	if _, err := fmt.Fprintln(out, relayDone); err != nil {
		return err
	}
	if err := detach(); err != nil {
		return err
	}
	return waitEnd(initFD)
}

// relayDone is what the relay says when it listens.
const relayDone = "done"

// bind binds all ports, and gives what serves them.
func bind(list []vnet.Publish, limits *bounds) ([]func(), error) {
	var serve []func()
	for _, p := range list {
		for _, at := range loopbacks {
			to := netip.AddrPortFrom(target(p, at), p.To)
			if !to.Addr().IsValid() {
				continue
			}
			s, err := listen(p.Proto, netip.AddrPortFrom(at, p.Port), to, limits)
			if errors.Is(err, unix.EADDRINUSE) {
				p.Address = at
				return nil, &nft.TakenError{Publish: p, By: whose(p, at)}
			}
			if errors.Is(err, unix.EADDRNOTAVAIL) || errors.Is(err, unix.EAFNOSUPPORT) {
				continue // a host without ::1
			}
			if err != nil {
				return nil, fmt.Errorf("cannot publish port %d/%s on %s: %w", p.Port, p.Proto, at, err)
			}
			serve = append(serve, s)
		}
	}
	return serve, nil
}

// whose is who has a port that can't be bound.
func whose(p vnet.Publish, at netip.Addr) string {
	found, _ := listeners(p.Proto, p.Port)
	for _, l := range found {
		if overlap(l.at, at) {
			return l.owner()
		}
	}
	return "a program of the host"
}

// target is the guest's address for what comes to a loopback address: of its family, if
// the guest has one.
func target(p vnet.Publish, at netip.Addr) netip.Addr {
	if at.Is4() && p.Guest4.IsValid() || !p.Guest6.IsValid() {
		return p.Guest4
	}
	return p.Guest6
}

func listen(proto string, at, to netip.AddrPort, limits *bounds) (func(), error) {
	if proto == "udp" {
		c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(at))
		if err != nil {
			return nil, err
		}
		return func() { serveUDP(c, to, limits.clients) }, nil
	}
	l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(at))
	if err != nil {
		return nil, err
	}
	return func() { serveTCP(l, to, limits.connections) }, nil
}

// detach lets go of what its starter waits on, and of a terminal.
func detach() error {
	null, err := os.OpenFile("/dev/null", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	for fd := range 3 {
		if err := unix.Dup3(int(null.Fd()), fd, 0); err != nil {
			return err
		}
	}
	return nil
}

// waitEnd waits until a pidfd's process has ended.
func waitEnd(pidfd int) error {
	for {
		_, err := unix.Poll([]unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}, -1)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

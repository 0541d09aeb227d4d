package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// netRows are the rows of guests' networks. The whole benchmark is in a network
// namespace of its own.
func netRows() []row {
	to := func(a netip.Addr) ([]float64, error) { return sendTo(a, time.Second) }
	from := func(a netip.Addr) ([]float64, error) { return receiveFrom(a, time.Second) }
	trips := func(proto string) func(netip.Addr) ([]float64, error) {
		return func(a netip.Addr) ([]float64, error) { return roundTrips(proto, a, 5000) }
	}
	return []row{
		{"net-start", "start of busybox on a bridge to its first command", "ms", 0, onNetwork, networkRow(startRow(busybox))},
		{"net-adds", "what the bridge adds to that", "ms", 0, onNetwork, networkRow(addedRow)},
		{"net-kill", "kill of busybox on a bridge", "ms", 0, onNetwork, networkRow(endRow(busybox, doKill))},
		{"net-100", "100 starts on a bridge, in a row", "ms", 3, onNetwork, networkRow(hundredRow)},
		{"net-to", "TCP from the host to a guest on a bridge", "Gbit/s", 0, hand, talkRow(to)},
		{"net-from", "TCP from the guest to the host", "Gbit/s", 0, hand, talkRow(from)},
		{"net-tcp", "round trip of 64 bytes, TCP", "µs", 0, hand, talkRow(trips("tcp"))},
		{"net-udp", "the same, UDP", "µs", 0, hand, talkRow(trips("udp"))},
	}
}

// networkRow sees to the bridge that LXC doesn't make.
func networkRow(open func(*bench, peer) (*probe, error)) func(*bench, peer) (*probe, error) {
	return func(b *bench, p peer) (*probe, error) {
		if err := b.bridge(); err != nil {
			return nil, err
		}
		return open(b, p)
	}
}

// without is the same way to run guests, with no network.
func (b *bench) without(p peer) peer {
	if _, ok := p.(networked); ok {
		return b.peers[0]
	}
	return b.peers[1]
}

// addedRow is how much later a guest's first command comes with a network than without,
// one after the other, in an order that changes.
func addedRow(b *bench, p peer) (*probe, error) {
	with, err := startRow(busybox)(b, p)
	if err != nil {
		return nil, err
	}
	without, err := startRow(busybox)(b, b.without(p))
	if err != nil {
		return nil, errors.Join(err, with.close())
	}
	turn := 0
	run := func() ([]float64, error) {
		took := map[*probe]float64{}
		order := []*probe{with, without}
		if turn++; turn%2 == 0 {
			slices.Reverse(order)
		}
		for _, pr := range order {
			values, err := b.once(pr)
			if err != nil {
				return nil, err
			}
			took[pr] = values[0]
		}
		return []float64{took[with] - took[without]}, nil
	}
	return &probe{run: run, close: func() error { return errors.Join(with.close(), without.close()) }}, nil
}

// hundredRow is the time of starts; addresses and names of sysct's guests are looked at
// after it.
func hundredRow(b *bench, p peer) (*probe, error) {
	pr, err := startsRow(1)(b, p)
	if s, ok := p.(networked); ok && err == nil {
		down := pr.after
		pr.after = func() error { return errors.Join(s.known(), down()) }
	}
	return pr, err
}

// known checks that the guests have addresses, each one of its own, and that these are
// what their names stand for.
func (s networked) known() error {
	gate, err := s.gateway()
	if err != nil {
		return err
	}
	resolver := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, proto, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, proto, netip.AddrPortFrom(gate, 53).String())
	}}
	owners := map[netip.Addr]string{}
	for i := range many {
		name := s.name(fmt.Sprintf("g%02d", i))
		addr, err := s.address(name)
		if err != nil {
			return err
		}
		if other, ok := owners[addr]; ok {
			return fmt.Errorf("%s and %s have the address %s", name, other, addr)
		}
		owners[addr] = name
		got, err := resolver.LookupNetIP(s.b.ctx, "ip4", name+".sysct")
		if err != nil || len(got) != 1 || got[0].Unmap() != addr {
			return fmt.Errorf("%s has the address %s, and its name stands for %v, %w", name, addr, got, err)
		}
	}
	return nil
}

// gateway is the host's address on the network: that of the bridge of an instance which
// isn't the host's default one.
func (s networked) gateway() (netip.Addr, error) {
	links, err := net.Interfaces()
	if err != nil {
		return netip.Addr{}, err
	}
	for _, link := range links {
		if !strings.HasPrefix(link.Name, "sb") {
			continue
		}
		addrs, err := link.Addrs()
		if err != nil {
			return netip.Addr{}, err
		}
		for _, a := range addrs {
			if addr, _ := netip.AddrFromSlice(a.(*net.IPNet).IP); addr.Unmap().Is4() {
				return addr.Unmap(), nil
			}
		}
	}
	return netip.Addr{}, errors.New("sysct's bridge isn't there")
}

// talkRow is a figure of what goes between the host and a guest.
func talkRow(measure func(netip.Addr) ([]float64, error)) func(*bench, peer) (*probe, error) {
	return func(b *bench, p peer) (*probe, error) {
		name, end, err := b.reader(p)
		if err != nil {
			return nil, err
		}
		addr := netip.MustParseAddr(handGuest)
		switch p := p.(type) {
		case networked:
			addr, err = p.address(name)
		case byHand:
			err = p.link(name)
		}
		if err != nil {
			return nil, errors.Join(err, end())
		}
		server, err := b.spawn(p.argv(doExec, name, readerPath, talkWord))
		if err != nil {
			return nil, errors.Join(err, end())
		}
		close := func() error {
			err := end()
			server.Wait() // the guest has ended under it
			return err
		}
		return &probe{run: func() ([]float64, error) { return measure(addr) }, close: close}, nil
	}
}

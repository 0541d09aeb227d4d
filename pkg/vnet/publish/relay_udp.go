package publish

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"
)

const (
	// silence is how long a client of udp is remembered that nothing passed for.
	silence = 90 * time.Second
	// datagram is the largest of udp.
	datagram = 65535
)

// clients are those of one udp port, each with a socket of its own towards the guest, by
// which the answers find back.
type clients struct {
	mu     sync.Mutex
	known  map[netip.AddrPort]*net.UDPConn
	places chan struct{}
}

// serveUDP passes on datagrams. With no place left, those of new clients are dropped, as
// a full queue would.
func serveUDP(l *net.UDPConn, to netip.AddrPort, places chan struct{}) {
	all := &clients{known: map[netip.AddrPort]*net.UDPConn{}, places: places}
	buffer := make([]byte, datagram)
	for {
		n, from, err := l.ReadFromUDPAddrPort(buffer)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			time.Sleep(pause)
			continue
		}
		if c := all.of(l, from, to); c != nil {
			// A guest that has nobody at the port answers by ICMP, and this is told here.
			if _, err := c.Write(buffer[:n]); err == nil {
				c.SetReadDeadline(time.Now().Add(silence))
			}
		}
	}
}

// of is a client's socket, nil if there is no place for one.
func (all *clients) of(l *net.UDPConn, client, to netip.AddrPort) *net.UDPConn {
	all.mu.Lock()
	defer all.mu.Unlock()
	if c := all.known[client]; c != nil {
		return c
	}
	select {
	case all.places <- struct{}{}:
	default:
		return nil
	}
	c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(to))
	if err != nil {
		<-all.places
		return nil
	}
	c.SetReadDeadline(time.Now().Add(silence))
	all.known[client] = c
	go func() {
		answers(l, c, client)
		all.mu.Lock()
		delete(all.known, client)
		all.mu.Unlock()
		c.Close()
		<-all.places
	}()
	return c
}

// answers passes on what the guest sends to a client, until both were silent for long.
func answers(l, guest *net.UDPConn, client netip.AddrPort) {
	buffer := make([]byte, datagram)
	for {
		n, err := guest.Read(buffer)
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() || errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // a refusal by ICMP: the guest's server may come up yet
		}
		guest.SetReadDeadline(time.Now().Add(silence))
		l.WriteToUDPAddrPort(buffer[:n], client)
	}
}

package publish

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"
)

// The bounds of a relay: what it keeps at most, whoever connects.
const (
	maxConnections = 512 // of tcp, of all its ports
	maxClients     = 128 // of udp
	dialTimeout    = 10 * time.Second
	// pause is for accept(2), when it fails for want of something.
	pause = 100 * time.Millisecond
)

// bounds are the places of a relay.
type bounds struct{ connections, clients chan struct{} }

func newBounds() *bounds {
	return &bounds{make(chan struct{}, maxConnections), make(chan struct{}, maxClients)}
}

// serveTCP accepts as long as there is place; what comes then waits in the kernel's queue.
func serveTCP(l *net.TCPListener, to netip.AddrPort, places chan struct{}) {
	for {
		places <- struct{}{}
		c, err := l.AcceptTCP()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			<-places
			time.Sleep(pause)
			continue
		}
		go func() {
			defer func() { <-places }()
			passOn(c, to)
		}()
	}
}

// passOn connects a client with the guest, until both have sent all that they have. A guest
// that refuses is told to the client as a reset, which is the nearest to a refusal.
func passOn(client *net.TCPConn, to netip.AddrPort) {
	defer client.Close()
	c, err := net.DialTimeout("tcp", to.String(), dialTimeout)
	if err != nil {
		client.SetLinger(0)
		return
	}
	defer c.Close()
	guest := c.(*net.TCPConn)
	var both sync.WaitGroup
	both.Go(func() { oneWay(guest, client) })
	both.Go(func() { oneWay(client, guest) })
	both.Wait()
}

// oneWay passes on what from sends and then that it has ended: half of a connection may
// end long before the other. The bytes stay in the kernel (splice(2), by ReadFrom). After
// an error nobody gets anything more on either way.
func oneWay(to, from *net.TCPConn) {
	if _, err := to.ReadFrom(from); err != nil {
		to.SetLinger(0)
		to.Close()
		from.SetLinger(0)
		from.Close()
		return
	}
	to.CloseWrite()
}

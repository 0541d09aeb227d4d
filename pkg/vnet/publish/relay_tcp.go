package publish

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// The bounds of a relay: what it keeps at most, whoever connects.
const (
	maxConnections = 512 // of tcp, of all its ports
	maxClients     = 128 // of udp
	dialTimeout    = 10 * time.Second
	// pause is for accept(2), when it fails for want of something.
	pause = 100 * time.Millisecond
)

// What each takes of descriptors: a connection two sockets, and two pipes of two ends to
// splice by. A relay that had no more of them would stand still with places left.
const (
	filesOfConnection = 6
	filesBeside       = maxClients + 1200 // listeners of 256 ports on two addresses, one waiting each, the runtime's own
)

// bounds are the places of a relay.
type bounds struct{ connections, clients chan struct{} }

// newBounds limits the process's descriptors to what its places need, and its places to
// what the limit lets it have.
func newBounds() (*bounds, error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return nil, fmt.Errorf("cannot read the limit of descriptors: %w", err)
	}
	limit.Max = min(limit.Max, filesBeside+filesOfConnection*maxConnections)
	limit.Cur = limit.Max
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return nil, fmt.Errorf("cannot limit the relay's descriptors: %w", err)
	}
	places := max((int64(limit.Max)-filesBeside)/filesOfConnection, 16)
	return &bounds{make(chan struct{}, min(places, maxConnections)), make(chan struct{}, maxClients)}, nil
}

// serveTCP accepts as long as there is place; the next one waits with none, and what comes
// then in the kernel's queue.
func serveTCP(l *net.TCPListener, to netip.AddrPort, places chan struct{}) {
	for {
		c, err := l.AcceptTCP()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			time.Sleep(pause)
			continue
		}
		places <- struct{}{}
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

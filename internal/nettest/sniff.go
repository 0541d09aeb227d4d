package nettest

import (
	"encoding/binary"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/ownthread"
)

// Capture is what a link has received and sent since it was made.
type Capture struct {
	lock   sync.Mutex
	frames [][]byte
	closed chan struct{}
}

// Sniff captures all frames of a link of the namespace, until the test ends or Stop.
func (n *Namespace) Sniff(t testing.TB, link string) *Capture {
	t.Helper()
	fd, err := n.packetSocket(link)
	if err != nil {
		t.Fatalf("cannot sniff %s: %v", link, err)
	}
	c := &Capture{closed: make(chan struct{})}
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.read(fd)
	}()
	t.Cleanup(func() {
		close(c.closed)
		<-done
		unix.Close(fd)
	})
	return c
}

// packetSocket opens a socket that gets and sends a link's frames.
func (n *Namespace) packetSocket(link string) (fd int, err error) {
	err = n.Do(func() error {
		i, err := net.InterfaceByName(link)
		if err != nil {
			return err
		}
		const all = unix.ETH_P_ALL
		fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		// It wakes up now and then to see whether it is wanted still.
		if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 20_000}); err != nil {
			return err
		}
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 8<<20); err != nil {
			return err
		}
		return unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all<<8&0xff00 | all>>8, Ifindex: i.Index})
	})
	return fd, err
}

func (c *Capture) read(fd int) {
	buf := make([]byte, 65536)
	for {
		size, _, err := unix.Recvfrom(fd, buf, 0)
		if err == nil {
			c.lock.Lock()
			c.frames = append(c.frames, append([]byte(nil), buf[:size]...))
			c.lock.Unlock()
			continue
		}
		select {
		case <-c.closed:
			return
		default:
		}
		if err != unix.EAGAIN && err != unix.EINTR && err != unix.ENETDOWN {
			return // the link is gone
		}
	}
}

// Frames are those that were captured so far, Ethernet headers and all.
func (c *Capture) Frames() [][]byte {
	c.lock.Lock()
	defer c.lock.Unlock()
	return append([][]byte(nil), c.frames...)
}

// Await waits until there is a frame that is meant, for a minute.
func (c *Capture) Await(t testing.TB, what string, meant func(frame []byte) bool) []byte {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(time.Millisecond) {
		for _, f := range c.Frames() {
			if meant(f) {
				return f
			}
		}
	}
	t.Fatalf("no frame with %s in a minute, but:\n%s", what, c)
	return nil
}

// Send sends frames by a link of the namespace as they are, Ethernet header and all, in their order.
func (n *Namespace) Send(t testing.TB, link string, frames ...[]byte) {
	t.Helper()
	fd, err := n.packetSocket(link)
	if err != nil {
		t.Fatalf("cannot send by %s: %v", link, err)
	}
	defer unix.Close(fd)
	err = ownthread.Run(func() error {
		if err := ownthread.OneCPU(); err != nil {
			return err
		}
		for _, f := range frames {
			if _, err := unix.Write(fd, f); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatalf("cannot send by %s: %v", link, err)
	}
}

// EtherType is that of a frame.
func EtherType(frame []byte) uint16 {
	if len(frame) < 14 {
		return 0
	}
	return binary.BigEndian.Uint16(frame[12:])
}

// String shows the captured frames as a dump, a hundred of them at most.
func (c *Capture) String() string {
	var text strings.Builder
	for i, f := range c.Frames() {
		if i == 100 {
			fmt.Fprintf(&text, "and %d more\n", len(c.Frames())-i)
			break
		}
		fmt.Fprintf(&text, "%x\n", f)
	}
	return text.String()
}

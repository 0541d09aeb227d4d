package shape

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/sysct/sysct/internal/nettest"
	"github.com/sysct/sysct/pkg/vnet/guard"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// A pair is the test's own host and a guest, with a veth between them.
type pair struct {
	host, guest *nettest.Namespace
	h           *netlink.Handle
	link        int // the host's side
}

const (
	ifb   = "si0123456789ab"
	alias = "sysct - guest web eth0"
)

var (
	hostAddr, guestAddr = netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	guestMAC            = net.HardwareAddr{2, 0, 0, 0, 0, 2}
)

func newPair(t *testing.T) *pair {
	t.Helper()
	p := &pair{host: nettest.Here(t), guest: nettest.New(t)}
	p.host.Veth(t, "web", p.guest, "eth0")
	p.host.IP(t, "addr add 10.0.0.1/24 dev web")
	p.guest.IP(t, "link set eth0 address "+guestMAC.String(), "addr add 10.0.0.2/24 dev eth0")
	h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	link, err := h.LinkByName("web")
	if err != nil {
		t.Fatal(err)
	}
	p.h, p.link = h, link.Attrs().Index
	return p
}

func (p *pair) set(t *testing.T, l Limits) {
	t.Helper()
	if err := Set(p.h, p.link, ifb, alias, l); err != nil {
		t.Fatal(err)
	}
}

// A transfer is a stream of bytes from one namespace to another's address, under way.
type transfer struct {
	took chan time.Duration // from the call to the last byte received
	err  chan error
}

// start begins a stream.
func start(from, to *nettest.Namespace, addr netip.Addr, size int64) *transfer {
	tr := &transfer{make(chan time.Duration, 1), make(chan error, 2)}
	var l net.Listener
	if err := to.Do(func() (err error) { l, err = net.Listen("tcp", netip.AddrPortFrom(addr, 0).String()); return err }); err != nil {
		tr.err <- err
		return tr
	}
	begun := make(chan time.Time, 1)
	go func() { tr.err <- tr.receive(l, size, begun) }()
	go func() {
		err := from.Do(func() error {
			begun <- time.Now() // not when the receiver comes to it, which may be later
			conn, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				return err
			}
			defer conn.Close()
			_, err = io.CopyN(conn, zeros{}, size)
			return err
		})
		if err != nil {
			tr.err <- err
		}
	}()
	return tr
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func (tr *transfer) receive(l net.Listener, size int64, begun <-chan time.Time) error {
	defer l.Close()
	conn, err := l.Accept()
	if err != nil {
		return err
	}
	defer conn.Close()
	if n, err := io.Copy(io.Discard, conn); err != nil || n != size {
		return fmt.Errorf("%d bytes: %w", n, err)
	}
	tr.took <- time.Since(<-begun)
	return nil
}

// wait is how long the stream took.
func (tr *transfer) wait(t *testing.T) time.Duration {
	t.Helper()
	select {
	case err := <-tr.err:
		if err != nil {
			t.Fatal(err)
		}
		return <-tr.took
	case <-time.After(time.Minute):
		t.Fatal("a transfer doesn't end within a minute")
		return 0
	}
}

// TestLimits has streams of TCP that the limits let through in half a second. That they take
// no less doesn't depend on how busy the machine is.
func TestLimits(t *testing.T) {
	nettest.Host(t, func(t *testing.T) {
		p := newPair(t)
		p.set(t, Limits{Ingress: 8_000_000, Egress: 4_000_000})
		down := start(p.host, p.guest, guestAddr, 500_000)
		up := start(p.guest, p.host, hostAddr, 250_000)
		for name, tr := range map[string]*transfer{"receives": down, "sends": up} {
			if took := tr.wait(t); took < 400*time.Millisecond {
				t.Errorf("the guest %s half a second's bytes in %s", name, took)
			}
		}
		// Changed under a stream that would take minutes.
		p.set(t, Limits{Ingress: 80_000, Egress: 80_000})
		down, up = start(p.host, p.guest, guestAddr, 2_000_000), start(p.guest, p.host, hostAddr, 2_000_000)
		p.waits(t, "web")
		p.waits(t, ifb)
		before := p.index(t)
		p.set(t, Limits{Ingress: 1_000_000_000, Egress: 1_000_000_000})
		down.wait(t)
		up.wait(t)
		if p.index(t) != before {
			t.Error("a change has made another device")
		}
		p.cleared(t, func() { p.set(t, Limits{}) })
		p.set(t, Limits{Ingress: 8_000_000, Egress: 8_000_000})
		p.cleared(t, func() { p.set(t, Limits{}) })
	})
}

// waits returns when frames wait in a device's queue.
func (p *pair) waits(t *testing.T, dev string) {
	t.Helper()
	var said string
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if said = p.host.Run(t, "tc", "-s", "qdisc", "show", "dev", dev, "root"); strings.Contains(said, "tbf") && !strings.Contains(said, "backlog 0b") {
			return
		}
	}
	t.Fatalf("nothing waits at %s:\n%s", dev, said)
}

func (p *pair) index(t *testing.T) int {
	t.Helper()
	dev, err := p.h.LinkByName(ifb)
	if err != nil {
		t.Fatal(err)
	}
	return dev.Attrs().Index
}

// cleared looks that nothing is left after an act, twice, and that the link works.
func (p *pair) cleared(t *testing.T, act func()) {
	t.Helper()
	for range 2 {
		act()
		if said := p.host.Run(t, "tc", "qdisc", "show"); strings.Contains(said, "tbf") {
			t.Errorf("a queue is left:\n%s", said)
		}
		if said := p.host.Run(t, "tc", "filter", "show", "dev", "web", "ingress"); strings.Contains(said, "u32") {
			t.Errorf("a filter is left:\n%s", said)
		}
		if said := p.host.Run(t, "ip", "-o", "link"); strings.Contains(said, ifb) {
			t.Errorf("a device is left:\n%s", said)
		}
	}
	start(p.guest, p.host, hostAddr, 100_000).wait(t)
	start(p.host, p.guest, guestAddr, 100_000).wait(t)
}

// TestGuardComesFirst has what the guard drops not even reach the queue, and what it lets
// through reach it, whichever of them was set first.
func TestGuardComesFirst(t *testing.T) {
	nettest.Host(t, func(t *testing.T) {
		p := newPair(t)
		p.set(t, Limits{Egress: 100_000_000})
		policy := guard.Policy{MAC: guestMAC, Addresses: []netip.Addr{guestAddr}}
		for _, order := range []string{"guard second", "limits second"} {
			if err := guard.Attach(p.h, p.link, policy); err != nil {
				t.Fatal(err)
			}
			seen := p.host.Sniff(t, ifb)
			frame := func(from byte) []byte {
				return append([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 2, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 2}, 10, 0, 0, from, 0, 0, 0, 0, 0, 0, 10, 0, 0, 1)
			}
			p.guest.Send(t, "eth0", frame(1), frame(3), frame(2))
			seen.Await(t, "the guest's own", func(f []byte) bool { return string(f) == string(frame(2)) })
			for _, f := range seen.Frames() {
				if string(f) != string(frame(2)) && f[12] == 8 && f[13] == 6 {
					t.Errorf("%s: % x gets to the queue", order, f)
				}
			}
			start(p.guest, p.host, hostAddr, 100_000).wait(t)
			p.set(t, Limits{})
			p.set(t, Limits{Egress: 100_000_000})
		}
		if said := p.host.Run(t, "tc", "filter", "show", "dev", "web", "ingress"); strings.Count(said, "mirred") != 1 || strings.Count(said, "sysct-guard") != 1 {
			t.Errorf("filters:\n%s", said)
		}
		// The device is gone: frames have nowhere to go, until it is set anew.
		p.host.IP(t, "link del "+ifb)
		p.set(t, Limits{Egress: 100_000_000})
		start(p.guest, p.host, hostAddr, 100_000).wait(t)
		// Without the link, when the guest is down.
		p.host.IP(t, "link del web")
		p.leftAlone(t)
		if err := Clear(p.h, 0, ifb, alias); err != nil {
			t.Fatal(err)
		}
		if said := p.host.Run(t, "ip", "-o", "link"); strings.Contains(said, ifb) {
			t.Errorf("a device is left:\n%s", said)
		}
	})
}

// leftAlone has devices that aren't of this guest's interface left as they are.
func (p *pair) leftAlone(t *testing.T) {
	t.Helper()
	const other = alias + "0"
	if err := Clear(p.h, 0, ifb, other); !errors.Is(err, unix.EEXIST) || !strings.Contains(err.Error(), ifb) {
		t.Errorf("the device of another is cleared: %v", err)
	}
	p.index(t)
	if err := Clear(p.h, 0, "lo", ""); !errors.Is(err, unix.EEXIST) {
		t.Errorf("lo is cleared: %v", err)
	}
}

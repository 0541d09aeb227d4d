package guard

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sysct/sysct/internal/nettest"
	"github.com/sysct/sysct/internal/ownthread"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// A lan is a bridge with a guest, which is held to the policy own or not, and its peer.
type lan struct {
	host, guest, peer *nettest.Namespace
	h                 *netlink.Handle
	link              int // the host's side of the guest's veth
}

// newLAN makes the bridge br0 of the test's own host. It floods multicast, so that what is sent
// arrives, and spanning tree and LLDP are forwarded.
func newLAN(t *testing.T) *lan {
	t.Helper()
	l := &lan{host: nettest.Here(t), guest: nettest.New(t), peer: nettest.New(t)}
	l.host.IP(t, "link add br0 address "+gateMAC.String()+" type bridge mcast_snooping 0 group_fwd_mask 0x4000", "link set br0 up",
		"addr add "+gate4.String()+"/24 dev br0")
	for _, family := range []string{"ip", "ip6"} { // there, bridges drop frames whose IP header is wrong
		if path := "net/bridge/bridge-nf-call-" + family + "tables"; unix.Access("/proc/sys/"+path, unix.F_OK) == nil {
			l.host.Sysctl(t, path, "0")
		}
	}
	l.join(t, l.guest, "guest", ownMAC)
	l.join(t, l.peer, "peer", peerMAC)
	h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	link, err := h.LinkByName("guest")
	if err != nil {
		t.Fatal(err)
	}
	l.h, l.link = h, link.Attrs().Index
	return l
}

// join puts a namespace on the bridge: its side is called eth0.
func (l *lan) join(t *testing.T, n *nettest.Namespace, name string, mac net.HardwareAddr) {
	t.Helper()
	l.host.Veth(t, name, n, "eth0")
	// Down, so that it gets the link-local address of its new hardware address.
	n.IP(t, "link set eth0 down", "link set eth0 address "+mac.String(), "link set eth0 up")
	l.host.IP(t, "link set "+name+" master br0")
}

// protect holds the guest to its policy.
func (l *lan) protect(t *testing.T) {
	t.Helper()
	if err := Attach(l.h, l.link, own()); err != nil {
		t.Fatal(err)
	}
	if err := SetPort(l.h, l.link, Port{MAC: ownMAC}); err != nil {
		t.Fatal(err)
	}
}

// say sends frames from a namespace, in their order.
func say(t *testing.T, from *nettest.Namespace, frames ...[]byte) {
	t.Helper()
	err := from.Do(func() error {
		if err := ownthread.OneCPU(); err != nil {
			return err
		}
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		eth0, err := net.InterfaceByName("eth0")
		if err != nil {
			return err
		}
		for _, f := range frames {
			if err := unix.Sendto(fd, f, 0, &unix.SockaddrLinklayer{Ifindex: eth0.Index}); err != nil {
				return fmt.Errorf("%d bytes: %w", len(f), err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatalf("cannot send: %v", err)
	}
}

// arrivals sends all samples from the guest and says which of them its peer received.
func (l *lan) arrivals(t *testing.T, list []sample, round byte) map[string]bool {
	t.Helper()
	seen := l.peer.Sniff(t, "eth0")
	var frames [][]byte
	for _, s := range list {
		frames = append(frames, s.frame)
	}
	last := mine(tIP4, ip4(own4, 17, 0, udp(9, 9, []byte("the last one"), []byte{round})))
	say(t, l.guest, append(frames, last)...)
	seen.Await(t, "the end", func(f []byte) bool { return bytes.Equal(f, last) })
	got := map[string]bool{}
	for _, f := range seen.Frames() {
		got[string(f)] = true
	}
	arrived := map[string]bool{}
	for _, s := range list {
		arrived[s.name] = got[string(s.frame)] || got[string(untagged(s.frame))]
	}
	return arrived
}

// untagged is what a packet socket shows of a frame: a VLAN's outer tag is taken out.
func untagged(f []byte) []byte {
	if kind := binary.BigEndian.Uint16(f[12:]); kind == 0x8100 || kind == 0x88a8 {
		return slices.Delete(slices.Clone(f), 12, 16)
	}
	return f
}

func TestHostileGuest(t *testing.T) {
	nettest.Host(t, func(t *testing.T) {
		l := newLAN(t)
		l.peer.IP(t, "link set eth0 promisc on")
		// The bridge learns where the peer is, so that nothing arrives by flooding alone.
		say(t, l.peer, eth(broadcast, peerMAC, tARP, arpPacket(1, peerMAC, peer4, gate4)))
		list := samples()
		for name, arrived := range l.arrivals(t, list, 1) {
			if !arrived {
				t.Errorf("without a filter %q doesn't arrive, so nothing is shown by it", name)
			}
		}
		l.protect(t)
		arrived := l.arrivals(t, list, 2)
		for _, s := range list {
			if arrived[s.name] != s.legal {
				t.Errorf("%s: arrives %v, want %v", s.name, arrived[s.name], s.legal)
			}
		}
	})
}

// TestLegalGuest has kernels talk: addresses with duplicate address detection, ARP and neighbour
// discovery, TCP, and datagrams in fragments.
func TestLegalGuest(t *testing.T) {
	nettest.Host(t, func(t *testing.T) {
		l := newLAN(t)
		l.protect(t)
		seen := l.peer.Sniff(t, "eth0")
		l.peer.IP(t, "addr add "+peer4.String()+"/24 dev eth0", "addr add "+peer6.String()+"/64 dev eth0 nodad")
		l.guest.IP(t, "addr add "+own4.String()+"/24 dev eth0", "addr add "+own6.String()+"/64 dev eth0")
		settled(t, l.guest)
		icmp := func(kind byte) func(f []byte) bool {
			return func(f []byte) bool {
				return bytes.Equal(f[6:12], ownMAC) && binary.BigEndian.Uint16(f[12:]) == tIP6 && (f[20] == 58 && f[54] == kind || f[20] == 0 && f[62] == kind)
			}
		}
		seen.Await(t, "duplicate address detection", icmp(neighbourSolicitation))
		seen.Await(t, "an MLD report", icmp(mld2Report))
		port := l.peer.NewEcho(t, 0)
		for _, to := range []netip.Addr{peer4, peer6} {
			for _, proto := range []string{"tcp", "udp"} {
				if _, err := l.guest.Ask(proto, netip.AddrPortFrom(to, port), time.Minute); err != nil {
					t.Errorf("%s to %s: %v", proto, to, err)
				}
			}
			if err := bigDatagram(l.guest, netip.AddrPortFrom(to, port)); err != nil {
				t.Errorf("datagram in fragments to %s: %v", to, err)
			}
		}
		// The other way round, the guest has to answer for its addresses.
		port = l.guest.NewEcho(t, 0)
		l.peer.IP(t, "neigh flush dev eth0")
		for _, to := range []netip.Addr{own4, own6} {
			if _, err := l.peer.Ask("tcp", netip.AddrPortFrom(to, port), time.Minute); err != nil {
				t.Errorf("tcp to the guest's %s: %v", to, err)
			}
		}
	})
}

// settled waits until no address of a namespace is tentative.
func settled(t *testing.T, n *nettest.Namespace) {
	t.Helper()
	for end := time.Now().Add(time.Minute); strings.Contains(n.Run(t, "ip", "-6", "addr"), "tentative"); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("addresses are tentative for a minute")
		}
	}
}

func bigDatagram(n *nettest.Namespace, to netip.AddrPort) error {
	return n.Do(func() error {
		conn, err := net.Dial("udp", to.String())
		if err != nil {
			return err
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(time.Minute))
		if _, err := conn.Write(zeros(5000)); err != nil {
			return err
		}
		answer := zeros(10000)
		if n, err := conn.Read(answer); err != nil || n < 5000 {
			return fmt.Errorf("%d bytes come back: %w", n, err)
		}
		return nil
	})
}

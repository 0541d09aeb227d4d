package guard

import (
	"bytes"
	"net"
	"testing"

	"github.com/sysct/sysct/internal/nettest"
)

// TestPort lets a third guest, which has no filter, try to draw the first one's frames to itself.
func TestPort(t *testing.T) {
	nettest.Host(t, func(t *testing.T) {
		l := newLAN(t)
		third, thirdMAC := nettest.New(t), net.HardwareAddr{2, 0, 0, 0, 0, 4}
		l.join(t, third, "third", thirdMAC)
		for _, n := range []*nettest.Namespace{l.guest, l.peer, third} {
			n.IP(t, "link set eth0 promisc on")
		}
		round := byte(0)
		// receives says who gets a frame of the peer's to an address.
		receives := func(to net.HardwareAddr) (guest, other bool) {
			t.Helper()
			round++
			atGuest, atThird := l.guest.Sniff(t, "eth0"), third.Sniff(t, "eth0")
			f := eth(to, peerMAC, tIP4, ip4(peer4, 17, 0, udp(7, 7, []byte{round})))
			last := eth(broadcast, peerMAC, tIP4, ip4(peer4, 17, 0, udp(7, 7, []byte("last"), []byte{round})))
			say(t, l.peer, f, last)
			has := func(c *nettest.Capture) bool {
				c.Await(t, "the end", func(got []byte) bool { return bytes.Equal(got, last) })
				for _, got := range c.Frames() {
					if bytes.Equal(got, f) {
						return true
					}
				}
				return false
			}
			return has(atGuest), has(atThird)
		}
		hello := func(from net.HardwareAddr) []byte { return eth(broadcast, from, tARP, arpPacket(1, from, any4, any4)) }
		unknown := net.HardwareAddr{2, 0, 0, 0, 0, 99}

		// stolen says whether the third can draw the guest's frames to itself. The guest's own kernel may say where it is
		// in between (a router solicitation), so it has a few tries.
		stolen := func() bool {
			t.Helper()
			for range 5 {
				say(t, third, hello(ownMAC))
				if guest, other := receives(ownMAC); !guest && other {
					return true
				}
			}
			return false
		}

		say(t, l.guest, hello(ownMAC))
		if !stolen() {
			t.Error("nothing can be stolen from a port that learns: nothing is shown")
		}
		if guest, other := receives(unknown); !guest || !other {
			t.Errorf("an unknown receiver's frames: guest %v, another %v", guest, other)
		}
		set := func(p Port) {
			t.Helper()
			if err := SetPort(l.h, l.link, p); err != nil {
				t.Fatal(err)
			}
		}
		set(Port{MAC: ownMAC})
		say(t, third, hello(ownMAC))
		if guest, other := receives(ownMAC); !guest || other {
			t.Errorf("a set port: guest receives %v, its thief %v", guest, other)
		}
		say(t, l.guest, hello(thirdMAC), hello(peerMAC))
		say(t, third, hello(thirdMAC))
		say(t, l.guest, hello(thirdMAC))
		if guest, other := receives(thirdMAC); guest || !other {
			t.Errorf("frames to the third: guest receives %v, itself %v", guest, other)
		}
		if guest, other := receives(unknown); guest || !other {
			t.Errorf("an unknown receiver's frames: guest %v, another %v", guest, other)
		}

		peer, err := l.h.LinkByName("peer")
		if err != nil {
			t.Fatal(err)
		}
		set(Port{MAC: ownMAC, Isolate: true})
		if guest, _ := receives(ownMAC); !guest {
			t.Error("an isolated guest isn't reached by one that isn't")
		}
		if err := SetPort(l.h, peer.Attrs().Index, Port{MAC: peerMAC, Isolate: true}); err != nil {
			t.Fatal(err)
		}
		quiet := l.guest.Sniff(t, "eth0")
		say(t, l.peer, eth(ownMAC, peerMAC, tIP4, ip4(peer4, 17, 0, udp(7, 7))), hello(peerMAC))
		say(t, third, eth(ownMAC, thirdMAC, tIP4, ip4(peer4, 17, 0, udp(8, 8))))
		quiet.Await(t, "the third's", func(f []byte) bool { return bytes.Equal(f[6:12], thirdMAC) })
		for _, f := range quiet.Frames() {
			if bytes.Equal(f[6:12], peerMAC) {
				t.Errorf("% x comes from one isolated guest to another", f)
			}
		}

		if err := FreePort(l.h, l.link, ownMAC); err != nil {
			t.Fatal(err)
		}
		set(Port{})
		if err := FreePort(l.h, l.link, ownMAC); err != nil {
			t.Error(err)
		}
		if err := SetPort(l.h, peer.Attrs().Index, Port{}); err != nil {
			t.Fatal(err)
		}
		if !stolen() {
			t.Error("nothing can be stolen from a port that learns again")
		}
	})
}

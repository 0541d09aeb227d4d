package guard

import (
	"net/netip"
	"testing"
	"time"

	"github.com/sysct/sysct/internal/nettest"
)

// TestApart: a guest that is kept apart and one that isn't reach the host, and not each other.
func TestApart(t *testing.T) {
	nettest.Host(t, func(t *testing.T) {
		l := newLAN(t)
		const port = 7777
		l.guest.IP(t, "addr add "+own4.String()+"/24 dev eth0")
		l.peer.IP(t, "addr add "+peer4.String()+"/24 dev eth0")
		for _, n := range []*nettest.Namespace{l.host, l.guest, l.peer} {
			n.NewEcho(t, port)
		}
		l.protect(t)
		asks := func(what string, from *nettest.Namespace, to netip.Addr, want bool) {
			t.Helper()
			within := 30 * time.Second
			if !want {
				within = 300 * time.Millisecond
			}
			for _, proto := range []string{"tcp", "udp"} {
				if _, err := from.Ask(proto, netip.AddrPortFrom(to, port), within); (err == nil) != want {
					t.Errorf("%s, %s: %v", what, proto, err)
				}
			}
		}
		all := func(together bool) {
			t.Helper()
			asks("guest to peer", l.guest, peer4, together)
			asks("peer to guest", l.peer, own4, together)
			asks("guest to host", l.guest, gate4, true)
			asks("host to guest", l.host, own4, true)
			asks("peer to host", l.peer, gate4, true)
		}
		all(true)
		for range 2 {
			if err := SetApart(l.h, l.link, gateMAC); err != nil {
				t.Fatal(err)
			}
			// It knows the peer's hardware address yet: frames to it are dropped by themselves.
			atPeer := l.peer.Sniff(t, "eth0")
			last := eth(broadcast, ownMAC, tARP, arpPacket(1, ownMAC, own4, gate4))
			say(t, l.guest, eth(peerMAC, ownMAC, tIP4, ip4(own4, 17, 0, udp(7, 7))), last)
			atPeer.Await(t, "the guest's last", func(f []byte) bool { return string(f[:6]) == string(broadcast) })
			for _, f := range atPeer.Frames() {
				if string(f[:6]) == string(peerMAC) && string(f[6:12]) == string(ownMAC) {
					t.Errorf("% x arrives", f)
				}
			}
			all(false)
		}
		if some, same, err := Attached(l.h, l.link, own()); !some || !same || err != nil {
			t.Errorf("the guest's policy: %v %v %v", some, same, err)
		}
		for range 2 {
			if err := SetApart(l.h, l.link, nil); err != nil {
				t.Fatal(err)
			}
		}
		all(true)
	})
}

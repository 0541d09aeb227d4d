package guard

import (
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/sysct/sysct/internal/nettest"
)

func TestAttach(t *testing.T) {
	nettest.Host(t, func(t *testing.T) {
		l := newLAN(t)
		l.peer.IP(t, "link set eth0 promisc on")
		say(t, l.peer, eth(broadcast, peerMAC, tARP, arpPacket(1, peerMAC, peer4, gate4)))
		state := func(p Policy, wantSome, wantSame bool) {
			t.Helper()
			if some, same, err := Attached(l.h, l.link, p); some != wantSome || same != wantSame || err != nil {
				t.Errorf("attached: %v, the same: %v, %v", some, same, err)
			}
		}
		spoof := sample{"spoof", mine(tIP4, ip4(peer4, 17, 0, udp(7, 7))), false}
		other := netip.MustParseAddr("10.0.0.200")
		old := sample{"old", mine(tIP4, ip4(own4, 17, 0, udp(7, 7))), true}
		changed := sample{"changed", mine(tIP4, ip4(other, 17, 0, udp(7, 7))), true}
		list := []sample{spoof, old, changed}

		state(own(), false, false)
		for range 2 { // again is as well
			l.protect(t)
			state(own(), true, true)
		}
		if got := l.arrivals(t, list, 1); got["spoof"] || !got["old"] || got["changed"] {
			t.Errorf("with the guest's own address: %v", got)
		}
		both := Policy{MAC: ownMAC, Addresses: []netip.Addr{own4, own6, other}}
		state(both, true, false)
		if err := Attach(l.h, l.link, both); err != nil {
			t.Fatal(err)
		}
		state(both, true, true)
		if got := l.arrivals(t, list, 2); got["spoof"] || !got["old"] || !got["changed"] {
			t.Errorf("with one more: %v", got)
		}
		if n := strings.Count(l.host.Run(t, "tc", "filter", "show", "dev", "guest", "ingress"), namePrefix); n != 1 {
			t.Errorf("%d filters", n)
		}
		for range 2 {
			if err := Detach(l.h, l.link); err != nil {
				t.Fatal(err)
			}
			state(both, false, false)
		}
		if got := l.arrivals(t, list, 3); !got["spoof"] {
			t.Errorf("without a filter: %v", got)
		}
		if err := Attach(l.h, 9999, both); err == nil || !strings.Contains(err.Error(), "link 9999") {
			t.Errorf("a link that isn't there: %v", err)
		}
	})
}

// Addresses that somebody else hands out, and none.
func TestAnyAddress(t *testing.T) {
	for _, c := range []struct {
		p     Policy
		legal string
	}{
		{Policy{MAC: ownMAC, Any4: true}, "source of the peer|DHCP discover|ARP reply for the peer|TCP|MLDv2 report"},
		{Policy{MAC: ownMAC, Any6: true}, "IPv6 source of the peer|neighbour advertisement for the peer|IPv6 TCP|duplicate address detection|solicitation without a source for the peer"},
		{Policy{MAC: ownMAC}, "DHCP discover|ARP probe|duplicate address detection with a nonce|MLDv2 report"},
		{Policy{MAC: ownMAC, Any4: true, Any6: true}, "source of the peer|IPv6 source of the peer|DHCP discover"},
	} {
		prog := load(t, program(c.p))
		named := map[string]bool{}
		for _, s := range samples() {
			named[s.name] = runnable(s.frame) && passes(t, prog, s.frame)
		}
		for _, name := range strings.Split(c.legal, "|") {
			if !named[name] {
				t.Errorf("%+v: %s is dropped", c.p, name)
			}
		}
		for _, name := range []string{"source MAC of the gateway", "ARP with the peer's hardware address", "DHCP offer", "DHCP for the peer", "router advertisement", "redirect",
			"DHCPv6 advertise", "router advertisement behind hop-by-hop", "neighbour advertisement with the peer's hardware", "no source, TCP", "no IPv6 source, TCP", "ICMP redirect"} {
			if pass, ok := named[name]; pass || !ok {
				t.Errorf("%+v: %s passes", c.p, name)
			}
		}
	}
}

func TestPolicyIsChecked(t *testing.T) {
	for _, p := range []Policy{
		{},
		{MAC: net.HardwareAddr{0, 0, 0, 0, 0, 0}},
		{MAC: net.HardwareAddr{1, 0, 0, 0, 0, 1}},
		{MAC: net.HardwareAddr{2, 0, 0, 0, 0, 0, 0, 1}},
		{MAC: ownMAC, Addresses: []netip.Addr{any4}},
		{MAC: ownMAC, Addresses: []netip.Addr{any6}},
		{MAC: ownMAC, Addresses: []netip.Addr{{}}},
		{MAC: ownMAC, Addresses: []netip.Addr{netip.MustParseAddr("224.0.0.1")}},
		{MAC: ownMAC, Addresses: []netip.Addr{netip.MustParseAddr("fe80::1%eth0")}},
		{MAC: ownMAC, Addresses: []netip.Addr{netip.MustParseAddr("::ffff:10.0.0.2")}},
		{MAC: ownMAC, Addresses: []netip.Addr{netip.MustParseAddr("::1")}},
	} {
		if prog, err := Load(p); err == nil {
			prog.Close()
			t.Errorf("%+v is taken", p)
		}
	}
	many := Policy{MAC: ownMAC}
	for i := range 64 {
		many.Addresses = append(many.Addresses, netip.AddrFrom4([4]byte{10, 0, 1, byte(i)}), netip.AddrFrom16([16]byte{0: 0xfd, 15: byte(i)}))
	}
	prog, err := Load(many)
	if err != nil {
		t.Fatalf("64 addresses of each family: %v", err)
	}
	prog.Close()
}

package publish

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sysct/sysct/internal/nettest"
	"github.com/sysct/sysct/pkg/vnet"
	"github.com/sysct/sysct/pkg/vnet/nft"
)

// TestPublishedPorts: what a user sees of them from everywhere, and of the networks' NAT
// and isolation, and that no other table is touched.
func TestPublishedPorts(t *testing.T) {
	t.Parallel()
	nettest.Host(t, func(t *testing.T) {
		w := newWorld(t)
		nettest.Run(t, "nft", "add table inet theirs; add chain inet theirs f { type filter hook forward priority 0; }; add rule inet theirs f tcp dport 1 counter drop")
		theirs := nettest.Run(t, "nft", "list", "table", "inet", "theirs")
		s := w.setup(vnet.Publish{Proto: "tcp", Port: 8080}, vnet.Publish{Proto: "udp", Port: 8080},
			vnet.Publish{Proto: "tcp", Port: 8081, Address: addr("192.0.2.1")}, vnet.Publish{Proto: "tcp", Port: 53}, vnet.Publish{Proto: "udp", Port: 53})
		must(t, Up(t.Context(), s, "", 0))
		// The first rounds with what the kernel has by itself, the next without it.
		w.checkPorts(t)
		w.checkNAT(t)
		w.checkNames(t)
		w.checkIsolation(t)
		if filtersBridges() {
			w.host.Sysctl(t, "net/bridge/bridge-nf-call-iptables", "0")
			w.host.Sysctl(t, "net/bridge/bridge-nf-call-ip6tables", "0")
			w.checkPorts(t)
			w.checkIsolation(t)
		}
		nettest.Run(t, "nft", "flush", "ruleset")
		must(t, nft.Ensure(t.Context(), tag, w.run))
		w.checkPorts(t)
		w.checkNAT(t)
		// Made anew, as the flush took it as well.
		nettest.Run(t, "nft", "add table inet theirs; add chain inet theirs f { type filter hook forward priority 0; }; add rule inet theirs f tcp dport 1 counter drop")
		must(t, Down(t.Context(), s))
		silent(t, "taken back", w.outside, "tcp", "192.0.2.1", 8080)
		silent(t, "taken back", w.outside, "tcp", "2001:db8::1", 8080)
		for _, n := range w.nets {
			must(t, nft.NetworkDown(t.Context(), tag, w.run, n.Name))
		}
		must(t, Down(t.Context(), &vnet.Setup{Tag: tag, Guest: "c", RunDir: w.run}))
		if now := nettest.Run(t, "nft", "list", "ruleset"); now != theirs {
			t.Errorf("the host's rules were\n%s\nand are\n%s", theirs, now)
		}
	})
}

// question is one for guest a's published ports.
type question struct {
	what string
	from *nettest.Namespace
	to   string
	sees string // what the guest sees the question come from
}

// bridgeFilter is a host's setting by which what passes through a bridge goes through the
// rules for forwarded packets; it is there if that part of the kernel is.
const bridgeFilter = "/proc/sys/net/bridge/bridge-nf-call-iptables"

func filtersBridges() bool {
	text, err := os.ReadFile(bridgeFilter)
	return err == nil && strings.TrimSpace(string(text)) == "1"
}

func (w *world) checkPorts(t *testing.T) {
	t.Helper()
	questions := []question{
		{"from outside", w.outside, "192.0.2.1", "192.0.2.2"},
		{"from outside", w.outside, "2001:db8::1", "2001:db8::2"},
		{"from the host", w.host, "192.0.2.1", "10.99.1.1"},
		{"from the host", w.host, "2001:db8::1", "fd00:99:1::1"},
		{"from the host by the bridge's address", w.host, "10.99.1.1", "10.99.1.1"},
		{"from a neighbour", w.b, "192.0.2.1", "10.99.1.1"},
		{"from a neighbour", w.b, "2001:db8::1", "fd00:99:1::1"},
		{"from a neighbour by the bridge's address", w.b, "10.99.1.1", "10.99.1.1"},
		{"from an isolated neighbour", w.c, "192.0.2.1", "10.99.1.1"},
		{"from an isolated network", w.d, "192.0.2.1", "10.99.1.1"},
	}
	if !filtersBridges() {
		questions = append(questions, question{"from itself", w.a, "192.0.2.1", "10.99.1.1"}, question{"from itself", w.a, "2001:db8::1", "fd00:99:1::1"})
	}
	for _, q := range questions {
		for _, proto := range []string{"tcp", "udp"} {
			if sees := reached(t, q.from, proto, q.to, 8080); sees != q.sees {
				t.Errorf("%s, %s %s: the guest sees %s, not %s", q.what, proto, q.to, sees, q.sees)
			}
		}
	}
	reached(t, w.outside, "tcp", "192.0.2.1", 8081)
	reached(t, w.outside, "udp", "192.0.2.1", 53)
	silent(t, "another address", w.outside, "tcp", "2001:db8::1", 8081)
	for _, loopback := range []string{"127.0.0.1", "::1"} {
		silent(t, "without a relay", w.host, "tcp", loopback, 8080)
	}
	// Another host's port of that number is no port of ours.
	for _, to := range []string{"192.0.2.2", "2001:db8::2"} {
		if _, err := w.b.Ask("tcp", at(to, 8080), 500*time.Millisecond); err == nil {
			t.Errorf("a connection to %s port 8080 was led astray", to)
		}
	}
	// The network's name server keeps its port for its guests.
	silent(t, "port 53 of the bridge", w.b, "tcp", "10.99.1.1", 53)
	silent(t, "port 53 of the bridge", w.b, "udp", "fd00:99:1::1", 53)
}

func (w *world) checkNAT(t *testing.T) {
	t.Helper()
	for _, q := range []struct{ to, sees string }{{"192.0.2.2", "192.0.2.1"}, {"2001:db8::2", "2001:db8::1"}} {
		for _, g := range []*nettest.Namespace{w.a, w.c, w.d} {
			for _, proto := range []string{"tcp", "udp"} {
				if sees := reached(t, g, proto, q.to, w.port); sees != q.sees {
					t.Errorf("%s outside sees %s and not the host's %s", proto, sees, q.sees)
				}
			}
		}
	}
	if sees := reached(t, w.b, "tcp", "10.99.1.2", w.port); sees != "10.99.1.3" {
		t.Errorf("a neighbour on the bridge is seen as %s", sees)
	}
}

// checkNames: a network's name server answers its guests, and nobody else.
func (w *world) checkNames(t *testing.T) {
	t.Helper()
	for _, at := range []string{"10.99.1.1:53", "[fd00:99:1::1]:53"} {
		l, err := net.Listen("tcp", at)
		must(t, err)
		connects := func(from *nettest.Namespace, within time.Duration) error {
			return from.Do(func() error {
				c, err := net.DialTimeout("tcp", at, within)
				if err == nil {
					c.Close()
				}
				return err
			})
		}
		for _, from := range []*nettest.Namespace{w.a, w.b, w.c, w.host} {
			if err := connects(from, time.Minute); err != nil {
				t.Errorf("the name server at %s: %v", at, err)
			}
		}
		for _, from := range []*nettest.Namespace{w.d, w.outside} {
			if connects(from, 300*time.Millisecond) == nil {
				t.Errorf("the name server at %s answers others", at)
			}
		}
		l.Close()
	}
}

// checkIsolation has guests make routes to each other by the host, which is how an
// isolated one of a bridge could be reached past the bridge.
func (w *world) checkIsolation(t *testing.T) {
	t.Helper()
	for _, r := range []struct {
		g  *nettest.Namespace
		to string
	}{{w.a, "4"}, {w.b, "4"}, {w.c, "2"}, {w.c, "3"}} {
		r.g.IP(t, "route replace 10.99.1."+r.to+"/32 via 10.99.1.1", "route replace fd00:99:1::"+r.to+"/128 via fe80::1 dev eth0")
	}
	ways := []struct {
		what string
		from *nettest.Namespace
		to   [2]string
	}{
		{"a neighbour to the isolated guest", w.b, [2]string{"10.99.1.4", "fd00:99:1::4"}},
		{"the isolated guest to a neighbour", w.c, [2]string{"10.99.1.3", "fd00:99:1::3"}},
		{"another network to an isolated one", w.b, [2]string{"10.99.2.5", "fd00:99:2::5"}},
		{"an isolated network to another", w.d, [2]string{"10.99.1.3", "fd00:99:1::3"}},
		{"an isolated network to an isolated guest", w.d, [2]string{"10.99.1.4", "fd00:99:1::4"}},
	}
	// Without the table they do: it is the table that keeps them apart.
	must(t, nft.Remove(t.Context(), tag))
	for _, way := range ways {
		for _, to := range way.to {
			reached(t, way.from, "tcp", to, w.port)
		}
	}
	must(t, nft.Sync(t.Context(), tag, w.run))
	var all sync.WaitGroup
	for _, way := range ways {
		for _, to := range way.to {
			for _, proto := range []string{"tcp", "udp"} {
				all.Go(func() { silent(t, way.what, way.from, proto, to, w.port) })
			}
		}
	}
	all.Wait()
	// The guest's addresses keep it apart by themselves, whichever way a packet comes.
	bare := w.nets[0]
	bare.MAC = ""
	must(t, nft.NetworkUp(t.Context(), tag, w.run, &bare))
	for _, way := range ways[:2] {
		for _, to := range way.to {
			all.Go(func() { silent(t, way.what, way.from, "udp", to, w.port) })
		}
	}
	all.Wait()
	must(t, nft.NetworkUp(t.Context(), tag, w.run, &w.nets[0]))
	for _, to := range []string{"10.99.1.4", "fd00:99:1::4", "10.99.2.5", "fd00:99:2::5"} {
		reached(t, w.host, "tcp", to, w.port)
	}
	for _, g := range []*nettest.Namespace{w.a, w.b, w.c} {
		g.Run(t, "ip", "route", "flush", "proto", "boot", "match", "10.99.1.2/32", "exact", "10.99.1.4/32")
	}
}

// TestTakenPorts are refused by name, and only where something would be lost.
func TestTakenPorts(t *testing.T) {
	t.Parallel()
	nettest.Host(t, func(t *testing.T) {
		w := newWorld(t)
		comm, err := os.ReadFile("/proc/self/comm")
		must(t, err)
		me := fmt.Sprintf("%s (pid %d), which listens on ", strings.TrimSpace(string(comm)), os.Getpid())
		hold(t, "tcp4", "0.0.0.0:81")
		hold(t, "tcp", "[::]:82")
		hold(t, "tcp", "192.0.2.1:83")
		hold(t, "tcp", "127.0.0.1:84")
		hold(t, "udp4", "0.0.0.0:85")
		hold(t, "udp", "10.99.1.1:53")
		hold(t, "tcp", "127.0.0.53:86")
		other := *w.setup(vnet.Publish{Proto: "tcp", Port: 90})
		other.Guest = "web"
		must(t, Up(t.Context(), &other, "", 0))
		for _, q := range []struct {
			p    vnet.Publish
			want string // "": it is free
		}{
			{vnet.Publish{Proto: "tcp", Port: 81}, "port 81/tcp of the host is taken by " + me + "0.0.0.0"},
			{vnet.Publish{Proto: "tcp", Port: 82}, "port 82/tcp of the host is taken by " + me + "::"},
			{vnet.Publish{Proto: "tcp", Port: 83}, "port 83/tcp of the host is taken by " + me + "192.0.2.1"},
			{vnet.Publish{Proto: "tcp", Port: 83, Address: addr("192.0.2.1")}, "port 83/tcp of 192.0.2.1 is taken by " + me + "192.0.2.1"},
			{vnet.Publish{Proto: "tcp", Port: 81, Address: addr("192.0.2.1")}, "port 81/tcp of 192.0.2.1 is taken by " + me + "0.0.0.0"},
			{vnet.Publish{Proto: "udp", Port: 85}, "port 85/udp of the host is taken by " + me + "0.0.0.0"},
			{vnet.Publish{Proto: "tcp", Port: 84, Loopback: true}, "port 84/tcp of the host is taken by " + me + "127.0.0.1"},
			{vnet.Publish{Proto: "tcp", Port: 90}, "port 90/tcp of the host is taken by guest web"},
			{vnet.Publish{Proto: "udp", Port: 81}, ""},
			{vnet.Publish{Proto: "tcp", Port: 83, Address: addr("192.0.2.9")}, ""}, // an address that it may get yet
			{vnet.Publish{Proto: "tcp", Port: 83, Address: addr("2001:db8::1")}, ""},
			{vnet.Publish{Proto: "tcp", Port: 84}, ""},
			{vnet.Publish{Proto: "udp", Port: 53}, ""},
			{vnet.Publish{Proto: "tcp", Port: 86, Loopback: true}, ""},
		} {
			var got string
			s := w.setup(q.p)
			err := Up(t.Context(), s, "/proc/self/exe", os.Getpid())
			if err != nil {
				got = err.Error()
			}
			var taken *nft.TakenError
			if got != q.want || err != nil && !errors.As(err, &taken) {
				t.Errorf("%+v:\n got %q\nwant %q", q.p, got, q.want)
			}
			if rules := nettest.Run(t, "nft", "list", "ruleset"); err != nil && strings.Contains(rules, `comment "a"`) {
				t.Errorf("%+v: it is published in spite of %v", q.p, err)
			}
			must(t, Down(t.Context(), s))
		}
		nowhere := w.setup(vnet.Publish{Proto: "tcp", Port: 99})
		nowhere.Publish[0].Guest4, nowhere.Publish[0].Guest6 = netip.Addr{}, netip.Addr{}
		if err := Up(t.Context(), nowhere, "", 0); err == nil || !strings.Contains(err.Error(), "guest a has no address") {
			t.Errorf("a guest without an address: %v", err)
		}
	})
}

// hold listens for as long as the test lasts.
func hold(t *testing.T, proto, at string) {
	t.Helper()
	if strings.HasPrefix(proto, "udp") {
		c, err := net.ListenPacket(proto, at)
		must(t, err)
		t.Cleanup(func() { c.Close() })
		return
	}
	l, err := net.Listen(proto, at)
	must(t, err)
	t.Cleanup(func() { l.Close() })
}

package doctor

import (
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sysct/sysct/internal/nettest"
	"github.com/sysct/sysct/pkg/vnet"
	"github.com/sysct/sysct/pkg/vnet/nft"
)

// dockers is what Docker has iptables-nft write, as far as it is in the way.
const dockers = `table ip filter {
	chain DOCKER-USER { return; }
	chain DOCKER { iifname != "docker0" oifname "docker0" drop; }
	chain FORWARD {
		type filter hook forward priority filter; policy drop;
		counter jump DOCKER-USER
		oifname "docker0" ct state related,established counter accept
		oifname "docker0" counter jump DOCKER
		iifname "docker0" counter accept
	}
}
table ip6 filter {
	chain DOCKER-USER { return; }
	chain FORWARD {
		type filter hook forward priority filter; policy drop;
		counter jump DOCKER-USER
	}
}
`

// somebodys is a packet filter by hand.
const somebodys = `table inet firewall {
	chain in {
		type filter hook input priority filter; policy drop;
		ct state vmap { established : accept, related : accept, invalid : drop }
		iifname "lo" accept
		meta l4proto ipv6-icmp accept
		iifname "up0" accept
	}
	chain forward {
		type filter hook forward priority filter; policy drop;
		ct state vmap { established : accept, related : accept, invalid : drop }
		meta l4proto ipv6-icmp accept
	}
}
`

// TestTheCommandsHelp: with rules that drop a guest's traffic the check says so, and the
// commands that it prints let it pass, and nothing that wasn't asked for.
func TestTheCommandsHelp(t *testing.T) {
	nettest.Host(t, func(t *testing.T) {
		here, outside, guest := nettest.Here(t), nettest.New(t), nettest.New(t)
		here.Veth(t, "up0", outside, "eth0")
		here.IP(t, "addr add 192.0.2.1/24 dev up0", "addr add 2001:db8::1/64 dev up0 nodad")
		outside.IP(t, "addr add 192.0.2.2/24 dev eth0", "addr add 2001:db8::2/64 dev eth0 nodad",
			"route add 10.99.1.0/24 via 192.0.2.1", "route add fd00:99:1::/64 via 2001:db8::1")
		n := vnet.Network{Name: "sysctbr0", Device: "sysctbr0", NAT: true, DNS: true, DHCP: true,
			IPv4: netip.MustParsePrefix("10.99.1.1/24"), IPv6: netip.MustParsePrefix("fd00:99:1::1/64")}
		here.IP(t, "link add sysctbr0 type bridge", "link set sysctbr0 up", "addr add 10.99.1.1/24 dev sysctbr0", "addr add fd00:99:1::1/64 dev sysctbr0 nodad")
		t.Cleanup(func() { here.Try("ip", "link", "del", "sysctbr0") })
		here.Veth(t, "vg", guest, "eth0")
		here.IP(t, "link set vg master sysctbr0")
		guest.IP(t, "addr add 10.99.1.2/24 dev eth0", "addr add fd00:99:1::2/64 dev eth0 nodad", "route add default via 10.99.1.1", "route add default via fd00:99:1::1")
		here.Sysctl(t, "net/ipv4/ip_forward", "1")
		here.Sysctl(t, "net/ipv6/conf/all/forwarding", "1")
		run := t.TempDir()
		if err := nft.NetworkUp(t.Context(), "", run, &n); err != nil {
			t.Fatal(err)
		}
		g := nft.Guest{Name: "web", Published: []vnet.Publish{{Proto: "tcp", Port: 8080, To: 7777, Guest4: netip.MustParseAddr("10.99.1.2"), Guest6: netip.MustParseAddr("fd00:99:1::2")}}}
		if err := nft.GuestUp(t.Context(), "", run, g); err != nil {
			t.Fatal(err)
		}
		outside.NewEcho(t, 7777)
		guest.NewEcho(t, 7777)
		here.NewEcho(t, 53)
		w := &wall{t, run, here, outside, guest}
		w.check("", "", true)
		w.check("Docker (chain ip filter FORWARD)", dockers, false)
		w.check("the host's packet filter (chain inet firewall forward)", somebodys, false)
	})
}

type wall struct {
	*testing.T
	run                  string
	here, outside, guest *nettest.Namespace
}

// check loads rules, has the check name who made them, runs what it says, and looks at
// the traffic before and after.
func (w *wall) check(name, rules string, passes bool) {
	w.Helper()
	file := w.TempDir() + "/rules"
	write(w.T, file, rules)
	nettest.Run(w.T, "nft", "-f", file)
	if !passes {
		for _, to := range []string{"192.0.2.2", "2001:db8::2"} {
			if _, err := w.guest.Ask("tcp", netip.AddrPortFrom(netip.MustParseAddr(to), 7777), 300*time.Millisecond); err == nil {
				w.Errorf("%s lets a guest pass without being told to", name)
			}
		}
	}
	bad := w.look()
	if passes != (len(bad) == 0) || !passes && !strings.HasPrefix(bad[0].Found, name) {
		w.Fatalf("%s: found %+v", name, bad)
	}
	for _, f := range bad {
		nettest.Run(w.T, "sh", "-c", f.Mend)
	}
	if bad := w.look(); len(bad) > 0 {
		w.Errorf("%s: after the commands: %+v", name, bad)
	}
	for from, ways := range map[*nettest.Namespace][]string{
		w.guest:   {"tcp 192.0.2.2 7777", "udp 2001:db8::2 7777", "udp 10.99.1.1 53", "tcp fd00:99:1::1 53"},
		w.outside: {"tcp 192.0.2.1 8080", "tcp 2001:db8::1 8080"},
	} {
		for _, way := range ways {
			f := strings.Fields(way)
			to := netip.MustParseAddrPort(netip.AddrPortFrom(netip.MustParseAddr(f[1]), port(f[2])).String())
			if !reaches(from, f[0], to) {
				w.Errorf("%s: after the commands there is no answer at %s", name, way)
			}
		}
	}
	if !passes {
		// Who knows the way to a guest's own address is still kept out by whoever did that.
		if _, err := w.outside.Ask("tcp", netip.MustParseAddrPort("10.99.1.2:7777"), 300*time.Millisecond); err == nil {
			w.Errorf("%s: the commands open more than the published port", name)
		}
		for line := range strings.Lines(nettest.Run(w.T, "nft", "list", "tables")) {
			if line = strings.TrimSpace(line); line != "table inet sysct" {
				nettest.Run(w.T, "nft", "delete "+line)
			}
		}
	}
}

func port(s string) uint16 {
	return netip.MustParseAddrPort("0.0.0.0:" + s).Port()
}

// look gives what is wrong in the eyes of the check, with the real rules.
func (w *wall) look() []Finding {
	h, end := Look(Dirs{State: w.run, Cache: w.run, Run: w.run, Log: w.run})
	defer end()
	return notFine(firewall(h))
}

// reaches tries for a minute: links of a moment ago come up.
func reaches(from *nettest.Namespace, proto string, to netip.AddrPort) bool {
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		if _, err := from.Ask(proto, to, 2*time.Second); err == nil {
			return true
		}
	}
	return false
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

package publish

import (
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/nettest"
	"github.com/sysct/sysct/pkg/vnet"
	"github.com/sysct/sysct/pkg/vnet/nft"
)

// TestMain makes of the test program what runs a relay, as sysct-net does.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == "relay" {
		if Relay(os.Stdin, os.Stdout) != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// world is a host with two networks, guests on them, and somebody outside.
//
//	outside ── up0 host sysctbr0 ── a, b, c (its port is isolated)
//	                    dmz      ── d (an isolated network)
type world struct {
	run                       string
	host, outside, a, b, c, d *nettest.Namespace
	nets                      []vnet.Network
	port                      uint16 // of the echo in each
}

const tag = "0123abcd"

func addr(s string) netip.Addr                { return netip.MustParseAddr(s) }
func at(s string, port uint16) netip.AddrPort { return netip.AddrPortFrom(addr(s), port) }

func newWorld(t *testing.T) *world {
	w := &world{run: t.TempDir(), host: nettest.Here(t), outside: nettest.New(t), port: 7777, nets: []vnet.Network{
		{Name: "sysctbr0", Device: "sysctbr0", MAC: "02:5c:00:00:00:01", NAT: true, DNS: true, DHCP: true,
			IPv4: netip.MustParsePrefix("10.99.1.1/24"), IPv6: netip.MustParsePrefix("fd00:99:1::1/64")},
		{Name: "dmz", Device: "dmz", MAC: "02:5c:00:00:00:02", NAT: true, Isolate: true,
			IPv4: netip.MustParsePrefix("10.99.2.1/24"), IPv6: netip.MustParsePrefix("fd00:99:2::1/64")},
	}}
	w.host.Veth(t, "up0", w.outside, "eth0")
	w.host.IP(t, "addr add 192.0.2.1/24 dev up0", "addr add 2001:db8::1/64 dev up0 nodad")
	w.outside.IP(t, "addr add 192.0.2.2/24 dev eth0", "addr add 2001:db8::2/64 dev eth0 nodad",
		// It knows the way to the guests' networks: what keeps it out is not ignorance.
		"route add 10.99.0.0/16 via 192.0.2.1", "route add fd00:99::/32 via 2001:db8::1")
	for i, n := range w.nets {
		w.host.IP(t, "link add "+n.Device+" type bridge", "link set "+n.Device+" address "+n.MAC+" up",
			"addr add "+n.IPv4.String()+" dev "+n.Device, "addr add "+n.IPv6.String()+" dev "+n.Device+" nodad",
			"addr add fe80::1/64 dev "+n.Device+" nodad")
		t.Cleanup(func() { w.host.Try("ip", "link", "del", w.nets[i].Device) })
	}
	w.host.Sysctl(t, "net/ipv4/ip_forward", "1")
	w.host.Sysctl(t, "net/ipv6/conf/all/forwarding", "1")
	w.a, w.b = w.guest(t, "sysctbr0", "a", "10.99.1.2", "fd00:99:1::2"), w.guest(t, "sysctbr0", "b", "10.99.1.3", "fd00:99:1::3")
	w.c, w.d = w.guest(t, "sysctbr0", "c", "10.99.1.4", "fd00:99:1::4"), w.guest(t, "dmz", "d", "10.99.2.5", "fd00:99:2::5")
	w.host.Run(t, "bridge", "link", "set", "dev", "vc", "isolated", "on")
	for _, n := range []*nettest.Namespace{w.outside, w.host} {
		n.NewEcho(t, w.port)
	}
	for i := range w.nets {
		must(t, nft.NetworkUp(t.Context(), tag, w.run, &w.nets[i]))
	}
	must(t, Up(t.Context(), &vnet.Setup{Tag: tag, Guest: "c", RunDir: w.run, Interfaces: []vnet.Interface{{Name: "eth0", Isolate: true,
		Addresses: []netip.Prefix{netip.MustParsePrefix("10.99.1.4/24"), netip.MustParsePrefix("fd00:99:1::4/64")}}}}, "", 0))
	return w
}

// guest makes a namespace with an interface on a bridge, and an echo in it.
func (w *world) guest(t *testing.T, bridge, name, v4, v6 string) *nettest.Namespace {
	g := nettest.New(t)
	w.host.Veth(t, "v"+name, g, "eth0")
	w.host.IP(t, "link set v"+name+" master "+bridge)
	way := v4[:strings.LastIndex(v4, ".")] + ".1"
	g.IP(t, "addr add "+v4+"/24 dev eth0", "addr add "+v6+"/64 dev eth0 nodad", "route add default via "+way, "route add default via fe80::1 dev eth0")
	g.NewEcho(t, w.port)
	return g
}

// setup is that of guest a with published ports.
func (w *world) setup(list ...vnet.Publish) *vnet.Setup {
	for i := range list {
		if list[i].To == 0 {
			list[i].To = w.port
		}
		list[i].Guest4, list[i].Guest6 = addr("10.99.1.2"), addr("fd00:99:1::2")
	}
	return &vnet.Setup{Tag: tag, Guest: "a", RunDir: w.run, Networks: w.nets[:1], Publish: list}
}

// reached asks until there is an answer: links and neighbours of a moment ago come up. It
// gives the address that the guest saw.
func reached(t *testing.T, from *nettest.Namespace, proto, to string, port uint16) string {
	t.Helper()
	var last error
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		seen, err := from.Ask(proto, at(to, port), 2*time.Second)
		if err == nil {
			return seen.Addr().String()
		}
		last = err
	}
	t.Fatalf("no answer at %s %s %d: %v", proto, to, port, last)
	return ""
}

// silent says that nobody answers. It is asked only after the same question had an answer
// where it should, so half a second tells.
func silent(t *testing.T, what string, from *nettest.Namespace, proto, to string, port uint16) {
	t.Helper()
	if seen, err := from.Ask(proto, at(to, port), 500*time.Millisecond); err == nil {
		t.Errorf("%s: %s %s %d answers to %s", what, proto, to, port, seen)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// sleeper is a process that stands for a guest's init.
func sleeper(t *testing.T) *exec.Cmd {
	c := exec.Command("sleep", "1000")
	must(t, c.Start())
	t.Cleanup(func() { c.Process.Kill(); c.Wait() })
	return c
}

// awaitEnd waits for the end of a process that isn't a child's.
func awaitEnd(t *testing.T, pid int) {
	t.Helper()
	fd, err := unix.PidfdOpen(pid, 0)
	if err == unix.ESRCH {
		return
	}
	must(t, err)
	defer unix.Close(fd)
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 60000)
		if err == unix.EINTR {
			continue
		}
		if n != 1 {
			t.Fatalf("process %d doesn't end: %v", pid, err)
		}
		return
	}
}

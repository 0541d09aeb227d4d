package link

import (
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/sysct/sysct/internal/nettest"
	"github.com/sysct/sysct/pkg/vnet"
)

// space is a process in a network namespace of its own, as a guest's init is.
func space(t *testing.T) int {
	t.Helper()
	c := exec.Command("sleep", "1000")
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Process.Kill(); c.Wait() })
	return c.Process.Pid
}

func session(t *testing.T, s *vnet.Setup, pid int) *Session {
	t.Helper()
	open, err := Open(s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(open.Close)
	if pid != 0 {
		if err := open.Enter(pid); err != nil {
			t.Fatal(err)
		}
	}
	return open
}

func must(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// has looks for words in what a command prints.
func has(t *testing.T, text string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("no %q in:\n%s", w, text)
		}
	}
}

// web is a guest with one interface of each type that this host's kernel has.
func web() *vnet.Setup {
	return &vnet.Setup{Tag: "0123abcd", Guest: "web", Interfaces: []vnet.Interface{
		{Name: "eth0", Type: vnet.TypeBridge, Bridge: "br0", Host: vnet.HostName("0123abcd", "web", "eth0"), MAC: "02:00:00:00:00:01", MTU: 1400, Filter: true, Isolate: true,
			Addresses: []netip.Prefix{netip.MustParsePrefix("10.9.0.2/24"), netip.MustParsePrefix("fd09::2/64")},
			Gateways:  []netip.Addr{netip.MustParseAddr("10.9.0.1"), netip.MustParseAddr("fe80::1")}, Ingress: 1e7, Egress: 1e7},
		{Name: "r0", Type: vnet.TypeRouted, Parent: "up0", Host: vnet.HostName("0123abcd", "web", "r0"), MAC: "02:00:00:00:00:02", Filter: true,
			Addresses: []netip.Prefix{netip.MustParsePrefix("192.0.2.77/32"), netip.MustParsePrefix("2001:db8::77/128")}},
		{Name: "mac0", Type: vnet.TypeMacvlan, Parent: "up0", Mode: "private", MAC: "02:00:00:00:00:03", Addresses: []netip.Prefix{netip.MustParsePrefix("192.0.2.78/24")}},
		{Name: "card0", Type: vnet.TypePhys, Parent: "spare0", MAC: "02:00:00:00:00:04", Addresses: []netip.Prefix{netip.MustParsePrefix("198.51.100.2/24")}},
	}}
}

// TestInterfaces makes them, and takes them away.
func TestInterfaces(t *testing.T) {
	nettest.Host(t, func(t *testing.T) {
		host := nettest.Here(t)
		host.IP(t, "link add br0 type bridge", "link set br0 up", "addr add 10.9.0.1/24 dev br0", "addr add fe80::1/64 dev br0 nodad",
			"link add up0 type veth peer name up1", "link set up0 up", "link set up1 up", "link add spare0 type veth peer name spare1", "link set spare1 up")
		before := host.Run(t, "ip", "-o", "link")
		pid := space(t)
		guest := nettest.Of(t, pid)
		s := session(t, web(), pid)
		must(t, "prepare", s.Prepare())
		must(t, "make", s.Make())

		links := guest.Run(t, "ip", "-d", "-o", "link")
		has(t, links, "02:00:00:00:00:01", "mtu 1400", "macvlan mode private", "card0@", "02:00:00:00:00:04")
		has(t, guest.Run(t, "ip", "-o", "addr"), "10.9.0.2/24 brd 10.9.0.255", "fd09::2/64", "192.0.2.77/32", "192.0.2.78/24", "198.51.100.2/24")
		has(t, guest.Run(t, "ip", "route"), "default via 10.9.0.1 dev eth0")
		has(t, guest.Run(t, "ip", "-6", "route"), "default via fe80::1 dev eth0")
		guest.Run(t, "busybox", "ping", "-c", "1", "-W", "5", "10.9.0.1")
		has(t, host.Run(t, "ip", "-d", "-o", "link", "show", "master", "br0"), "isolated on", "learning off", "alias sysct 0123abcd guest web eth0")
		has(t, host.Run(t, "ip", "neigh", "show", "proxy"), "192.0.2.77 dev up0")
		has(t, host.Run(t, "ip", "route"), "192.0.2.77 dev "+vnet.HostName("0123abcd", "web", "r0"))
		for _, name := range []string{"eth0", "r0"} {
			link := vnet.HostName("0123abcd", "web", name)
			has(t, host.Run(t, "tc", "filter", "show", "dev", link, "ingress"), "bpf")
			data, err := os.ReadFile("/proc/sys/net/ipv6/conf/" + link + "/accept_ra")
			if err != nil || strings.TrimSpace(string(data)) != "0" {
				t.Errorf("accept_ra of %s is %q, %v", link, data, err)
			}
		}
		has(t, host.Run(t, "tc", "qdisc", "show"), "tbf", "rate 10Mbit")

		must(t, "remove", s.Remove())
		if after := withoutIndex(host.Run(t, "ip", "-o", "link")); after != withoutIndex(before) {
			t.Errorf("links before:\n%s\nand after:\n%s", withoutIndex(before), after)
		}
		if left := host.Run(t, "ip", "neigh", "show", "proxy"); left != "" {
			t.Errorf("answered for still: %s", left)
		}
		must(t, "remove again", s.Remove())
	})
}

// withoutIndex leaves of a list of links their names, sorted as they are.
func withoutIndex(list string) string {
	var names []string
	for line := range strings.Lines(list) {
		f := strings.Fields(line)
		if len(f) > 1 {
			name, _, _ := strings.Cut(strings.TrimSuffix(f[1], ":"), "@")
			names = append(names, name)
		}
	}
	return strings.Join(names, " ")
}

// TestChange goes from one setup to another, back where that fails, and mends.
func TestChange(t *testing.T) {
	nettest.Host(t, func(t *testing.T) {
		host := nettest.Here(t)
		host.IP(t, "link add br0 type bridge", "link set br0 up", "addr add 10.9.0.1/24 dev br0", "link add up0 type veth peer name up1", "link set up0 up")
		pid := space(t)
		guest := nettest.Of(t, pid)
		from := &vnet.Setup{Tag: "0123abcd", Guest: "web", Interfaces: web().Interfaces[:1]}
		must(t, "make", session(t, from, pid).Make())

		to := &vnet.Setup{Tag: "0123abcd", Guest: "web", Interfaces: []vnet.Interface{web().Interfaces[0], web().Interfaces[2]}}
		eth0 := &to.Interfaces[0]
		eth0.Filter = false
		eth0.MTU, eth0.Ingress, eth0.Egress, eth0.Isolate = 1300, 0, 0, false
		eth0.Addresses = []netip.Prefix{netip.MustParsePrefix("10.9.0.3/24")}
		eth0.Gateways = nil
		must(t, "change", session(t, to, pid).Change(from, to))
		addr := guest.Run(t, "ip", "-o", "addr")
		has(t, addr, "10.9.0.3/24", "192.0.2.78/24")
		if strings.Contains(addr, "10.9.0.2/") || strings.Contains(addr, "fd09::2") {
			t.Errorf("the old addresses are there:\n%s", addr)
		}
		has(t, guest.Run(t, "ip", "link", "show", "eth0"), "mtu 1300")
		if routes := guest.Run(t, "ip", "route", "show", "default"); routes != "" {
			t.Errorf("a default route is left: %s", routes)
		}
		if shaped := host.Run(t, "tc", "qdisc", "show"); strings.Contains(shaped, "tbf") {
			t.Errorf("limits are left:\n%s", shaped)
		}
		guest.Run(t, "busybox", "ping", "-c", "1", "-W", "5", "10.9.0.1")
		if left := host.Run(t, "tc", "filter", "show", "dev", eth0.Host, "ingress"); strings.Contains(left, "bpf") {
			t.Errorf("the guard is left: %s", left)
		}
		if left := host.Run(t, "bridge", "fdb", "show", "dev", eth0.Host); strings.Contains(left, "02:00:00:00:00:01") && strings.Contains(left, "sticky") {
			t.Errorf("the guard's entry is left: %s", left)
		}
		has(t, host.Run(t, "ip", "-d", "-o", "link", "show", eth0.Host), "learning on", "isolated off")

		bad := &vnet.Setup{Tag: "0123abcd", Guest: "web", Interfaces: []vnet.Interface{*eth0, {Name: "x0", Type: vnet.TypeMacvlan, Parent: "nowhere"}}}
		bad.Interfaces[0].MTU = 1200
		err := session(t, bad, pid).Change(to, bad)
		if err == nil || !strings.Contains(err.Error(), "nowhere") {
			t.Errorf("a change to a device that isn't there: %v", err)
		}
		has(t, guest.Run(t, "ip", "-o", "addr"), "10.9.0.3/24", "192.0.2.78/24")
		has(t, guest.Run(t, "ip", "link", "show", "eth0"), "mtu 1300")

		host.Run(t, "ip", "link", "delete", eth0.Host)
		mended, err := session(t, to, pid).Mend()
		if err != nil || strings.Join(mended, " ") != "eth0" {
			t.Errorf("mended %q, %v", mended, err)
		}
		host.Run(t, "ip", "link", "set", eth0.Host, "nomaster")
		if mended, err = session(t, to, pid).Mend(); err != nil || len(mended) != 1 {
			t.Errorf("mended %q, %v", mended, err)
		}
		to.Interfaces[0].Filter = true
		for _, harm := range []string{"tc qdisc del dev " + eth0.Host + " clsact", "ip link set " + eth0.Host + " down"} {
			if mended, err = session(t, to, pid).Mend(); err != nil || len(mended) != 1 {
				t.Errorf("before %s: mended %q, %v", harm, mended, err)
			}
			host.Run(t, "sh", "-c", harm)
		}
		if mended, err = session(t, to, pid).Mend(); err != nil || len(mended) != 1 {
			t.Errorf("mended %q, %v", mended, err)
		}
		if mended, err = session(t, to, pid).Mend(); err != nil || len(mended) != 0 {
			t.Errorf("mended %q of what lacks nothing, %v", mended, err)
		}
		guest.Run(t, "busybox", "ping", "-c", "1", "-W", "5", "10.9.0.1")
		none := &vnet.Setup{Tag: "0123abcd", Guest: "web"}
		must(t, "change to nothing", session(t, none, pid).Change(to, none))
		if links := withoutIndex(guest.Run(t, "ip", "-o", "link")); links != "lo" {
			t.Errorf("the guest has %s", links)
		}
	})
}

// TestForeignLinks aren't deleted or given away, whatever they are called, and a failed
// making leaves nothing.
func TestForeignLinks(t *testing.T) {
	nettest.Host(t, func(t *testing.T) {
		host := nettest.Here(t)
		setup := web()
		eth0 := &setup.Interfaces[0]
		host.IP(t, "link add br0 type bridge", "link set br0 up", "link add up0 type veth peer name up1",
			"link add "+eth0.Host+" type veth peer name other1", "link set other1 alias mine")
		before := withoutIndex(host.Run(t, "ip", "-o", "link"))
		pid := space(t)
		if err := session(t, setup, pid).Make(); err == nil || !strings.Contains(err.Error(), "it is not the guest's") {
			t.Errorf("making beside a foreign link: %v", err)
		}
		if err := session(t, setup, 0).removeVeth(eth0); err == nil {
			t.Error("a foreign link is removed")
		}
		host.Run(t, "ip", "link", "delete", eth0.Host)
		setup.Interfaces[3].Parent = "gone0"
		if err := session(t, setup, pid).Make(); err == nil || !strings.Contains(err.Error(), "gone0") {
			t.Errorf("without a device: %v", err)
		}
		if links := withoutIndex(nettest.Of(t, pid).Run(t, "ip", "-o", "link")); links != "lo" {
			t.Errorf("the guest has %s of what failed", links)
		}
		host.IP(t, "link add "+eth0.Host+" type veth peer name other1")
		if after := withoutIndex(host.Run(t, "ip", "-o", "link")); len(strings.Fields(after)) != len(strings.Fields(before)) {
			t.Errorf("links before: %s, and after: %s", before, after)
		}
		own := session(t, setup, 0)
		if err := own.Enter(os.Getpid()); err == nil {
			t.Error("the host's own namespace is taken for a guest's")
		}
	})
}

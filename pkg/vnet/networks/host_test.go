package networks

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/sysct/sysct/internal/nettest"
	"github.com/sysct/sysct/pkg/guest/spec"
	"github.com/sysct/sysct/pkg/vnet"
)

// What is somebody else's is neither taken nor removed, and a host's own IPv6 outlives that
// it forwards.
func TestForeignThings(t *testing.T) {
	nettest.Host(t, func(t *testing.T) {
		ctx := context.Background()
		host := nettest.Here(t)
		s := newStore(t)
		n := must[*vnet.Network](t)(s.Resolve(ctx, spec.DefaultNetwork))

		for _, kind := range [][]string{{"type", "bridge"}, {"type", "veth", "peer", "name", "p0"}} {
			nettest.Run(t, "ip", append([]string{"link", "add", n.Device}, kind...)...)
			before := nettest.State(t)
			for name, do := range map[string]func() error{
				"up":   func() error { return s.Up(ctx, n) },
				"down": func() error { return s.Down(ctx, n.Name, true) },
			} {
				if err := do(); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), "isn't sysct's\nhint: ") {
					t.Errorf("%s over a foreign %s: %v", name, kind[1], err)
				}
			}
			if d := nettest.Difference(before, nettest.State(t)); d != "" {
				t.Errorf("something was done with a foreign %s:\n%s", kind[1], d)
			}
			nettest.Run(t, "ip", "link", "delete", n.Device)
		}
		// A bridge that a killed process has left unmarked is ours: its hardware address is.
		nettest.Run(t, "ip", "link", "add", n.Device, "address", n.MAC, "type", "bridge")

		uplink := nettest.New(t)
		host.Veth(t, "up0", uplink, "peer")
		host.Veth(t, "up1", uplink, "peer1")
		host.Veth(t, "side0", uplink, "side")
		host.Veth(t, "off0", uplink, "off")
		host.Veth(t, "own0", uplink, "own")
		nettest.Run(t, "ip", "link", "set", "own0", "alias", "sysct - guest web eth0")
		host.IP(t, "link set off0 down", "link set up0 up", "link set up1 up", "link set side0 up",
			"addr add 198.51.100.2/24 dev up0", "route add default via 198.51.100.1 dev up0",
			"route add default via inet6 fe80::9 dev up1 table 77")
		ok(t, s.Up(ctx, n))
		for link, want := range map[string]string{"up0": "2", "up1": "2", "side0": "2", "off0": "1", "own0": "1", "lo": "1", n.Device: "0"} {
			if got := strings.TrimSpace(nettest.Run(t, "cat", "/proc/sys/net/ipv6/conf/"+link+"/accept_ra")); got != want {
				t.Errorf("accept_ra of %s is %s, not %s", link, got, want)
			}
		}
		// Forwarding that is on already is somebody's who has seen to that.
		host.Sysctl(t, "net/ipv6/conf/up0/accept_ra", "1")
		host.Sysctl(t, "net/ipv4/ip_forward", "0")
		ok(t, s.Up(ctx, n))
		if got := strings.TrimSpace(nettest.Run(t, "cat", "/proc/sys/net/ipv6/conf/up0/accept_ra")); got != "1" {
			t.Errorf("accept_ra was changed again: %s", got)
		}
		// What the host or another guest has is no routed guest's.
		for _, c := range []struct{ guest, address, want string }{
			{"r1", "203.0.113.7/32", ""}, {"r1", "203.0.113.7/32", ""},
			{"r2", "203.0.113.7/32", "cannot have 203.0.113.7: it is guest r1's (eth0)"},
			{"r2", "198.51.100.2/32", "cannot have 198.51.100.2: it is the host's own (up0)"},
			{"r2", "169.254.0.1/32", "cannot have 169.254.0.1: it is the host's own on the link to the guest"},
			{"r1", "203.0.113.8/32", ""}, {"r2", "203.0.113.7/32", ""},
		} {
			err := s.Routed(ctx, Owner{c.guest, "eth0", ""}, []netip.Prefix{prefix(c.address)})
			if (err == nil) != (c.want == "") || err != nil && (!errors.Is(err, ErrConfig) || err.Error() != c.want) {
				t.Errorf("%s with %s: %v, want %q", c.guest, c.address, err, c.want)
			}
		}
		// A route that comes later.
		var warned []string
		s.Warn = func(line string) { warned = append(warned, line) }
		host.IP(t, "route add "+n.IPv4.Masked().String()+" dev up0 metric 9", "link delete "+n.Device)
		ok(t, s.Up(ctx, n))
		if len(warned) != 1 || !strings.Contains(warned[0], "collides with a route of the host") || !strings.Contains(warned[0], "(up0)") {
			t.Errorf("warned: %q", warned)
		}
		// In use by a device that isn't a guest's, too.
		host.IP(t, "link set side0 master "+n.Device)
		if err := s.Down(ctx, n.Name, false); !errors.Is(err, ErrBusy) || !strings.Contains(err.Error(), "device side0") {
			t.Errorf("in use: %v", err)
		}
		ok(t, s.Down(ctx, n.Name, true))
		if out := nettest.Run(t, "ip", "link", "show", "side0"); strings.Contains(out, "master") {
			t.Error(out)
		}
	})
}

// A guest without an address of its own asks for it, as any distribution's client does.
func TestDHCP(t *testing.T) {
	nettest.Host(t, func(t *testing.T) {
		ctx := context.Background()
		host := nettest.Here(t)
		s := newStore(t)
		n := must[*vnet.Network](t)(s.Resolve(ctx, spec.DefaultNetwork))
		const mac = "02:00:00:00:00:07"
		got := must[[]netip.Prefix](t)(s.Addresses(ctx, n, Owner{"web", "eth0", mac}, nil))
		ok(t, s.Up(ctx, n))
		guest := nettest.New(t)
		host.Veth(t, "sv0", guest, "eth0")
		host.IP(t, "link set sv0 master "+n.Device+" up")
		guest.IP(t, "link set eth0 address "+mac+" up")
		script := filepath.Join(t.TempDir(), "script")
		ok(t, os.WriteFile(script, []byte("#!/bin/sh\n[ \"$1\" = bound ] && echo \"$ip $mask $router $dns $domain $hostname\" >"+script+".out\nexit 0\n"), 0o755))
		ask := func() string {
			os.Remove(script + ".out")
			guest.Run(t, "busybox", "udhcpc", "-f", "-q", "-n", "-t", "10", "-T", "1", "-i", "eth0", "-s", script)
			data, err := os.ReadFile(script + ".out")
			ok(t, err)
			return strings.TrimSpace(string(data))
		}
		bridge := n.IPv4.Addr().String()
		want := strings.Join([]string{got[0].Addr().String(), "24", bridge, bridge, "sysct", "web"}, " ")
		if said := ask(); said != want {
			t.Errorf("DHCP gives %q, not %q", said, want)
		}
		// Another dnsmasq, which has no list of leases, gives the same.
		kill(t, pidOf(t, s, n))
		ok(t, s.Up(ctx, n))
		if said := ask(); said != want {
			t.Errorf("DHCP gives %q after a restart, not %q", said, want)
		}
		// A stranger gets nothing.
		guest.IP(t, "link set eth0 down", "link set eth0 address 02:00:00:00:00:08 up")
		if out, err := guest.Try("busybox", "udhcpc", "-f", "-q", "-n", "-t", "1", "-T", "1", "-i", "eth0", "-s", script); err == nil {
			t.Errorf("a stranger has an address: %s", out)
		}
		// The router is advertised, and no prefix to make addresses of.
		eventually(t, "default route by a router advertisement", func() bool {
			out := guest.Run(t, "ip", "-6", "route", "show", "default")
			return strings.Contains(out, "via fe80::1 dev eth0 proto ra")
		})
		if out := guest.Run(t, "ip", "-6", "addr", "show", "dev", "eth0", "scope", "global"); strings.TrimSpace(out) != "" {
			t.Errorf("an address was made of an advertisement: %s", out)
		}
		ok(t, s.Down(ctx, n.Name, true))
	})
}

// Many guests come at the same time, and with them the network: each has addresses of its
// own, and all names are known.
func TestManyAtOnce(t *testing.T) {
	nettest.Host(t, func(t *testing.T) {
		ctx := context.Background()
		host := nettest.Here(t)
		s := newStore(t)
		const many = 40
		var all sync.WaitGroup
		got := make([][]netip.Prefix, many)
		for i := range many {
			all.Go(func() {
				n, err := s.Resolve(ctx, spec.DefaultNetwork)
				if err == nil {
					got[i], err = s.Addresses(ctx, n, Owner{fmt.Sprint("g", i), "eth0", fmt.Sprintf("02:00:00:00:00:%02x", i)}, nil)
				}
				if err == nil {
					err = s.Up(ctx, n)
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		n := must[*vnet.Network](t)(s.Resolve(ctx, spec.DefaultNetwork))
		seen := map[netip.Prefix]int{}
		for i, list := range got {
			eventually(t, "name of each", func() bool { return slices.Equal(resolved(host, n, fmt.Sprintf("g%d.sysct", i)), addrs(list)) })
			for _, p := range list {
				if other, twice := seen[p]; twice {
					t.Errorf("g%d and g%d have %s", i, other, p)
				}
				seen[p] = i
			}
		}
		ok(t, s.Down(ctx, n.Name, false))
	})
}

// A host whose kernel was booted without IPv6 has networks all the same.
func TestNoIPv6(t *testing.T) {
	nettest.Host(t, func(t *testing.T) {
		ctx := context.Background()
		host := nettest.Here(t)
		nettest.Run(t, "mount", "-t", "tmpfs", "none", "/proc/sys/net/ipv6")
		s := newStore(t)
		n := must[*vnet.Network](t)(s.Resolve(ctx, spec.DefaultNetwork))
		got := must[[]netip.Prefix](t)(s.Addresses(ctx, n, Owner{"web", "eth0", "02:00:00:00:00:01"}, nil))
		ok(t, s.Up(ctx, n))
		if !slices.Equal(resolved(host, n, "web.sysct"), addrs(got)) || len(got) != 1 {
			t.Errorf("%v", got)
		}
		ok(t, s.Down(ctx, n.Name, false))
		def := spec.DefaultNetworkObject()
		def.IPv6 = "fd00:1:2:3::1/64"
		six := must[*vnet.Network](t)(s.Create(ctx, "six", def))
		if err := s.Up(ctx, six); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), "the host's kernel has none\nhint: ipv6 = \"none\"") {
			t.Errorf("with IPv6 that is asked for: %v", err)
		}
		ok(t, s.Down(ctx, "six", false))
	})
}

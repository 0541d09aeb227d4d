package networks

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sysct/sysct/pkg/vnet"
)

func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }

func testSetup() *dnsSetup {
	return &dnsSetup{
		net: &vnet.Network{Name: "dmz", Device: "dmz", IPv4: prefix("10.1.2.1/24"), IPv6: prefix("fd00:1:2:3::1/64"),
			MTU: 1400, NAT: true, DHCP: true, DNS: true, Domain: "sysct", MAC: "02:01:02:03:04:05"},
		dir: "/run/sysct-dns/dmz", pidFile: "/run/sysct/.net/dns-dmz.pid", user: "dnsmasq", group: "nogroup", resolv: "/etc/resolv.conf",
		entries: []entry{
			{Network: "dmz", Guest: "Web", Interface: "eth0", MAC: "02:00:00:00:00:01", Addresses: []netip.Prefix{prefix("10.1.2.2/24"), prefix("fd00:1:2:3::2/64")}},
			{Network: "dmz", Guest: "a.b", Interface: "eth0", MAC: "02:00:00:00:00:02", Addresses: []netip.Prefix{prefix("10.1.2.3/24"), prefix("10.1.2.9/24")}},
			{Network: "dmz", Guest: "old", Interface: "eth1", Addresses: []netip.Prefix{prefix("fd00:1:2:3::4/64")}},
		},
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is now\n%s", name, got)
	}
}

func TestDNSFiles(t *testing.T) {
	d := testSetup()
	golden(t, "full.conf", d.config())
	golden(t, "full.hosts", d.hosts())
	golden(t, "full.dhcp-hosts", d.dhcpHosts())
	d.net.DNS, d.net.MTU, d.net.IPv6 = false, 0, netip.Prefix{}
	golden(t, "dhcp-alone.conf", d.config())
	d = testSetup()
	d.net.DHCP = false
	golden(t, "dns-alone.conf", d.config())
}

// A newline in any word makes no line of its own, whatever let it in.
func TestDNSFilesTakeNoNewline(t *testing.T) {
	for _, evil := range []string{"x\nserver=/#/1.2.3.4", "x\rdhcp-script=/bin/sh", "x\x00y"} {
		d := testSetup()
		d.net.Domain, d.net.Name, d.net.Device = evil, evil, evil
		d.entries[0].Guest, d.entries[1].MAC = evil, evil
		for _, text := range []string{d.config(), d.hosts(), d.dhcpHosts()} {
			for line := range strings.Lines(text) {
				if strings.HasPrefix(line, "server=") || strings.HasPrefix(line, "dhcp-script") || strings.ContainsAny(strings.TrimSuffix(line, "\n"), "\r\x00") {
					t.Errorf("%q gives the line %q", evil, line)
				}
			}
		}
	}
}

func TestReverseZones(t *testing.T) {
	for p, want := range map[string][]string{
		"10.1.2.1/24":        {"2.1.10.in-addr.arpa"},
		"10.1.2.1/23":        {"2.1.10.in-addr.arpa", "3.1.10.in-addr.arpa"},
		"10.1.2.1/16":        {"1.10.in-addr.arpa"},
		"10.0.0.1/8":         {"10.in-addr.arpa"},
		"10.1.2.1/25":        nil,
		"fd00:1:2:3::1/64":   {"3.0.0.0.2.0.0.0.1.0.0.0.0.0.d.f.ip6.arpa"},
		"172.16.0.1/14":      {"16.172.in-addr.arpa", "17.172.in-addr.arpa", "18.172.in-addr.arpa", "19.172.in-addr.arpa"},
		"192.168.255.254/30": nil,
	} {
		if got := reverseZones(prefix(p)); !slices.Equal(got, want) {
			t.Errorf("%s: %v", p, got)
		}
	}
}

//go:build vm

package cases

import (
	"os"
	"strings"
	"testing"
)

// The links that the guests of TestNetwork have beside the bridge, on devices that are
// made for it: those of macvlan and ipvlan can't be on the same one.
const (
	parents = `for i in 0 1 2; do ip link add dum$i type dummy && ip link set dum$i up; done`
	others  = `
[[net]]
type = "macvlan"
parent = "dum0"
ipv4 = ["192.0.2.%N/24"]
[[net]]
type = "ipvlan"
parent = "dum1"
ipv4 = ["198.51.100.%N/24"]
`
	tagged = `
[[net]]
type = "vlan"
parent = "dum2"
vlan = 100
ipv4 = ["203.0.113.2/24"]
`
)

// addressesOf are a guest's on its first interface, without the link's own.
func addressesOf(t *testing.T, name string) string {
	t.Helper()
	return sh(t, "sysct exec "+name+" -- ip -o addr show dev eth0 scope global | grep -o 'inet6* [^ ]*' | LC_ALL=C sort")
}

// TestNetwork: guests on the host's default network, whose name server is a unit, and on
// devices of the host. One of them has systemd-networkd, which asks for an address.
func TestNetwork(t *testing.T) {
	if boot(t) == 1 {
		afterReboot(t)
		return
	}
	sh(t, "systemctl enable --now sysct && "+parents)
	sh(t, "env -u SYSCT_NETWORK sysct create web -t debian -- -r trixie --allow-expired")
	sh(t, `cd /var/lib/sysct/web/rootfs && printf '[Match]\nName=eth*\n[Network]\nDHCP=yes\nIPv6AcceptRA=yes\n' >etc/systemd/network/20-eth.network &&
systemctl --root=$PWD enable systemd-networkd systemd-networkd-wait-online`)
	for i, name := range []string{"one", "two"} {
		sh(t, "sysct create "+name+" --net sysctbr0 -t busybox")
		text := strings.ReplaceAll(others, "%N", string(rune('1'+i)))
		if name == "one" {
			text += tagged
		}
		f := "/var/lib/sysct/" + name + "/config.toml"
		sh(t, "cat >>"+f+" <<'END'\n"+text+"END")
	}
	sh(t, "sysct start web one two")
	sh(t, "sysct wait web ip -t 60")
	before := addressesOf(t, "web")
	if strings.Count(before, "\n") != 1 {
		t.Errorf("web has %q: want one of IPv4 and one of IPv6", before)
	}
	sh(t, "sysct wait web ready -t 60")
	want(t, "systemctl is-active sysct-dns@sysctbr0", "active")
	testNetworkd(t, before)
	testDevices(t)
	testShared(t)
	testNamesOnHost(t)
	testDeaths(t)
	sh(t, "sysct enable web one")
	if err := os.WriteFile("/var/tmp/addresses", []byte(addressesOf(t, "web")+addressesOf(t, "one")), 0o644); err != nil {
		t.Fatal(err)
	}
	reboot(t)
}

// testNetworkd: DHCP gives what is there, and nothing waits in vain: who does has failed
// after two minutes.
func testNetworkd(t *testing.T, before string) {
	soon(t, "sysct exec web -- networkctl status eth0 | grep -q 'State: routable (configured)'")
	if after := addressesOf(t, "web"); after != before {
		t.Errorf("with networkd web has %q, before %q", after, before)
	}
	if out := sh(t, "sysct exec web -- networkctl status eth0"); !strings.Contains(out, "(DHCPv4 via ") {
		t.Errorf("networkd has no lease:\n%s", out)
	}
	sh(t, "sysct exec web -- systemctl start systemd-networkd-wait-online")
	want(t, "sysct exec web -- systemctl is-system-running --wait", "running")
}

// testDevices: macvlan, ipvlan and vlan on devices of the host.
func testDevices(t *testing.T) {
	for _, to := range []string{"192.0.2.2", "198.51.100.2", "two.sysct", "web.sysct"} {
		soon(t, "sysct exec one -- ping -c 1 -W 2 "+to)
	}
	if out := sh(t, "sysct exec one -- ip -o addr"); !strings.Contains(out, "inet 203.0.113.2/24") {
		t.Errorf("one has no VLAN:\n%s", out)
	}
	want(t, "sysct exec one -- cat /proc/net/dev | grep -c 'eth[0-3]:'", "4")
}

// testShared: a guest with the network of another.
func testShared(t *testing.T) {
	sh(t, `sysct create side --net none -t busybox && printf 'version = 1\n[share]\nnet = "one"\n' >/var/lib/sysct/side/config.toml && sysct start side`)
	if side, one := addressesOf(t, "side"), addressesOf(t, "one"); side != one {
		t.Errorf("side has %q, one %q", side, one)
	}
	sh(t, "sysct destroy -f side")
	soon(t, "sysct exec one -- ping -c 1 -W 2 web.sysct")
}

// testNamesOnHost: systemd's own means know guests and where they are.
func testNamesOnHost(t *testing.T) {
	registered(t, "web")
	ip := strings.Fields(addressesOf(t, "web"))[1]
	ip, _, _ = strings.Cut(ip, "/")
	soon(t, "machinectl list --no-legend | grep -q '^web .*"+ip+"'")
	soon(t, "getent ahostsv4 web | grep -q '^"+ip+" '")
}

// testDeaths: the name server is restarted, the host service leaves guests alone, and a
// bridge that is gone comes back.
func testDeaths(t *testing.T) {
	pid := sh(t, "systemctl show -P MainPID sysct-dns@sysctbr0")
	sh(t, "kill -KILL "+pid)
	soon(t, `p=$(systemctl show -P MainPID sysct-dns@sysctbr0); test "$p" != 0 -a "$p" != `+pid)
	soon(t, "sysct exec one -- nslookup web.sysct")
	before := addressesOf(t, "web")
	sh(t, "systemctl restart sysct && nft flush ruleset && ip link del sysctbr0 && sysct net repair")
	soon(t, "sysct exec one -- ping -c 1 -W 2 web.sysct")
	if after := addressesOf(t, "web"); after != before {
		t.Errorf("after a repair web has %q, before %q", after, before)
	}
}

// afterReboot: the guests have what they had.
func afterReboot(t *testing.T) {
	sh(t, parents) // too late for one's start, but not for that of its successor
	soon(t, "sysct wait web ready -t 60")
	soon(t, "sysct exec one -- true || { sysct start one; false; }")
	text, err := os.ReadFile("/var/tmp/addresses")
	if now := addressesOf(t, "web") + addressesOf(t, "one"); err != nil || now != string(text) {
		t.Errorf("after the reboot %q, before %q, %v", now, text, err)
	}
	want(t, "systemctl is-active sysct-dns@sysctbr0", "active")
	soon(t, "sysct exec one -- ping -c 1 -W 2 web.sysct")
}

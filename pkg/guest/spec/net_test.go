package spec

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// genNets draws interfaces and published ports that go together.
func genNets(t *rapid.T, g *Guest) {
	kind := rapid.SampledFrom([]string{"", NetNone, NetHost, NetBridge, "several", "share"}).Draw(t, "net")
	rate := rapid.Ptr(rapid.Map(rapid.Int64Range(int64(minRate), int64(maxRate)), func(n int64) Rate { return Rate(n) }), true)
	switch kind {
	case "", "share":
		if kind == "share" {
			g.Share.Net = "web"
		}
		return
	case NetNone, NetHost:
		g.Net = []Net{{Type: kind}}
		return
	case NetBridge:
		g.Net = []Net{{Type: NetBridge}}
	case "several":
		g.Net = []Net{
			{Type: NetBridge, Network: "dmz", Up: rapid.Ptr(rapid.Bool(), true).Draw(t, "up"), Limits: NetLimits{rate.Draw(t, "ingress"), rate.Draw(t, "egress")}},
			{Type: NetVLAN, Parent: "lan", VLAN: rapid.Ptr(rapid.IntRange(1, maxVLAN), false).Draw(t, "vlan"), IPv4: []string{"192.0.2.1/24", "192.0.2.2"}},
			{Type: NetMacvlan, Parent: "lan", Mode: "private", MTU: rapid.Ptr(rapid.IntRange(minMTU, maxMTU), true).Draw(t, "mtu")},
			{Type: NetRouted, IPv6: []string{"2001:db8::1"}, Gateway: "fe80::1", Filter: rapid.Ptr(rapid.Bool(), true).Draw(t, "filter")},
		}
		g.Net = g.Net[:rapid.IntRange(1, len(g.Net)).Draw(t, "entries")]
	}
	for _, port := range rapid.SliceOfNDistinct(rapid.IntRange(1, 65535), 0, 2, rapid.ID[int]).Draw(t, "ports") {
		g.Publish = append(g.Publish, Publish{Port: &port, Proto: rapid.SampledFrom([]string{"", "tcp", "udp"}).Draw(t, "proto"), Loopback: rapid.Bool().Draw(t, "loopback")})
	}
	g.DNS.Write = rapid.Bool().Draw(t, "write")
}

// Each key of the commented example of an entry is right by itself, beside the one that it
// needs.
func TestExamplesOfInterfaces(t *testing.T) {
	needs := map[string]string{"mode": "type = 'macvlan'\nparent = 'lan'\n", "vlan": "type = 'vlan'\nparent = 'lan'\n"}
	seen := 0
	for _, f := range GuestFields() {
		if rest, ok := strings.CutPrefix(f.Key, "net."); ok && f.Change != "" {
			value := f.Example
			if value == "" {
				value = f.Default
			}
			text := fmt.Sprintf("[[net]]\n%s%s = %s\n", needs[rest], rest, value)
			if _, err := Parse([]byte(text), "f"); err != nil {
				t.Errorf("%s: %v", text, err)
			}
			seen++
		}
	}
	if seen < 16 {
		t.Errorf("only %d keys", seen)
	}
}

func TestNetRefuses(t *testing.T) {
	kinds := `it must be "bridge" or "routed" or "macvlan" or "ipvlan" or "vlan" or "phys" or "none" or "host"`
	for _, c := range []struct{ keys, want string }{
		{"type = 'veth'", `f:2:1: net[0].type: "veth" is unknown: ` + kinds},
		{"type = 'brigde'", kinds + `: did you mean "bridge"?`},
		{"type = 1", "f:2:1: net[0].type: must be a string, not an integer"},
		{"type = 'none'\n[[net]]", `f:2:1: net[0].type: "none" stands for no interface: there can be no other entry beside it`},
		{"[[net]]\ntype = 'host'", `f:3:1: net[1].type: "host" stands for no interface`},
		{"type = 'host'\nmtu = 1400", "f:3:1: net[0].mtu: makes no sense for the type host"},
		{"type = 'none'\nipv4 = ['10.0.0.1']", "f:3:1: net[0].ipv4: makes no sense for the type none"},
		{"name = 'a/b'", `f:2:1: net[0].name: "a/b" is not the name of a link: only A-Z a-z 0-9 . - _ are allowed`},
		{"name = 'abcdefghijklmnop'", "is not the name of a link: it has 1 to 15 characters"},
		{"name = '..'", "is not the name of a link"},
		{"name = 'lo'", `"lo" can't be an interface of its own`},
		{"name = 'eth1'\n[[net]]", `f:3:1: net[1].name: "eth1" is that of net[0] too`},
		{"[[net]]\nname = 'eth0'", `f:3:1: net[1].name: "eth0" is that of net[0] too`},
		{"network = '../x'", `f:2:1: net[0].network: name "../x": only`},
		{"network = 'dmz'\nparent = 'br0'", "f:3:1: net[0].parent: a bridge interface has a network or a parent, not both"},
		{"type = 'routed'\nnetwork = 'dmz'\nipv4 = ['10.0.0.1']", "f:3:1: net[0].network: makes no sense for the type routed"},
		{"type = 'macvlan'", "f:1:1: net[0].parent: is missing: the type macvlan needs a device of the host"},
		{"type = 'phys'", "net[0].parent: is missing"},
		{"type = 'phys'\nparent = 'a b'", `net[0].parent: "a b" is not the name of a link`},
		{"type = 'macvlan'\nparent = 'lan'\nmode = 'l2'", `f:4:1: net[0].mode: "l2" is unknown: it must be "bridge" or "private" or "vepa" or "passthru"`},
		{"mode = 'bridge'", "f:2:1: net[0].mode: makes no sense for the type bridge"},
		{"type = 'vlan'\nparent = 'lan'", "f:1:1: net[0].vlan: is missing: it must be the VLAN's number"},
		{"type = 'vlan'\nparent = 'lan'\nvlan = 0", "f:4:1: net[0].vlan: 0 is too little: the least is 1"},
		{"type = 'vlan'\nparent = 'lan'\nvlan = 4095", "net[0].vlan: 4095 is too much: the most is 4094"},
		{"vlan = 5", "f:2:1: net[0].vlan: makes no sense for the type bridge"},
		{"mac = '02:00:00'", `f:2:1: net[0].mac: "02:00:00" is not a hardware address: write it as 02:5c:00:00:00:01`},
		{"mac = '02:00:00:00:00:00:00:01'", "is not a hardware address"},
		{"mac = '01:00:5e:00:00:01'", `net[0].mac: "01:00:5e:00:00:01" is not the address of one interface`},
		{"mac = 'ff:ff:ff:ff:ff:ff'", "is not the address of one interface"},
		{"mac = '00:00:00:00:00:00'", "is not the address of one interface"},
		{"mac = '02:5c:00:00:00:0a'\n[[net]]\nmac = '02-5C-00-00-00-0A'", `f:4:1: net[1].mac: "02-5C-00-00-00-0A" is that of net[0] too`},
		{"type = 'ipvlan'\nparent = 'lan'\nmac = '02:5c:00:00:00:01'", "net[0].mac: makes no sense for the type ipvlan"},
		{"mtu = 67", "f:2:1: net[0].mtu: 67 is too little: the least is 68"},
		{"mtu = 65536", "net[0].mtu: 65536 is too much: the most is 65535"},
		{"mtu = '1400'", "net[0].mtu: must be an integer, not a string"},
		{"mtu = 1279\nipv6 = ['fd00::5/64']", "f:2:1: net[0].mtu: 1279 is too little for IPv6: the least is 1280"},
		{"up = 'no'", "net[0].up: must be true or false, not a string"},
		{"ipv4 = '10.0.0.1/24'", "f:2:1: net[0].ipv4: must be an array"},
		{"ipv4 = ['10.0.0.256/24']", `f:2:1: net[0].ipv4[0]: "10.0.0.256/24" is not an IPv4 address with the length of a prefix`},
		{"ipv4 = ['10.0.0.1/33']", "is not an IPv4 address"},
		{"ipv4 = ['10.0.0.1/0']", "is not an IPv4 address"},
		{"ipv4 = ['fd00::1/64']", "is not an IPv4 address"},
		{"ipv6 = ['10.0.0.1']", "is not an IPv6 address"},
		{"ipv6 = ['::ffff:10.0.0.1']", "is not an IPv6 address"},
		{"ipv6 = ['fe80::1%eth0']", "is not an IPv6 address"},
		{"ipv4 = ['127.0.0.1/8']", `"127.0.0.1/8" can't be the address of an interface`},
		{"ipv4 = ['224.0.0.1']", "can't be the address of an interface"},
		{"ipv6 = ['::']", "can't be the address of an interface"},
		{"ipv4 = ['10.0.0.0/24']", `net[0].ipv4[0]: "10.0.0.0/24" is a whole subnet, not an address in it`},
		{"ipv6 = ['fd00::/64']", "is a whole subnet"},
		{"ipv4 = ['10.0.0.1/24', '10.0.0.1/16']", `net[0].ipv4[1]: "10.0.0.1/16" is there twice`},
		{"ipv4 = ['10.0.0.1/24']\n[[net]]\nipv4 = ['10.0.0.1']", `f:4:1: net[1].ipv4[0]: "10.0.0.1" is that of net[0] too`},
		{"ipv4 = [" + strings.Repeat("'10.0.0.1',", 65) + "]", "net[0].ipv4: 65 addresses: the most is 64"},
		{"type = 'routed'", "f:1:1: net[0].ipv4: a routed interface has the addresses that are written here: there is none"},
		{"gateway = 'automatic'", `f:2:1: net[0].gateway: "automatic" is neither "auto", "none", nor the address of a router`},
		{"gateway = '10.0.0.1/24'", "is neither"},
		{"gateway = 'auto 10.0.0.1'", "is neither"},
		{"gateway = '0.0.0.0'", "is neither"},
		{"gateway = 'fe80::1%eth0'", "is neither"},
		{"gateway = '10.0.0.1 10.0.0.2'", "net[0].gateway: one address a family at most"},
		{"gateway = ' '", "net[0].gateway: one address a family at most"},
		{"type = 'phys'\nparent = 'lan'\nfilter = true", "f:4:1: net[0].filter: makes no sense for the type phys"},
		{"type = 'phys'\nparent = 'lan'\nisolate = true", "net[0].isolate: makes no sense"},
		{"type = 'phys'\nparent = 'lan'\n[net.limits]\ningress = '1mbit'", "f:4:1: net[0].limits: makes no sense for the type phys"},
		{"[net.limits]\ningress = '1.5mbit'", `f:3:1: net[0].limits.ingress: "1.5mbit" is not a rate: write a whole number with kbit, mbit or gbit`},
		{"[net.limits]\negress = '1M'", `net[0].limits.egress: "1M" has the unknown unit "M": use kbit, mbit or gbit, powers of 1000 bits a second`},
		{"[net.limits]\ningress = 7999", `net[0].limits.ingress: "7999" is too little: the least is 8kbit`},
		{"[net.limits]\ningress = -1", "is not a rate"},
		{"[net.limits]\ningress = '2000000gbit'", "is too much: the most is 1000000gbit"},
		{"[net.limits]\ningress = true", `must be a rate, as in "100mbit"`},
		{"[net.limits]\ningres = '1mbit'", "net[0].limits.ingres: unknown key: did you mean ingress?"},
		{strings.Repeat("[[net]]\n", 16), "f:1:1: net: 17 entries: the most is 16"},
	} {
		_, err := Parse([]byte("[[net]]\n"+c.keys), "f")
		checkRefusal(t, c.keys, err, c.want)
	}
}

func TestPublishShareAndDNSRefuse(t *testing.T) {
	for text, want := range map[string]string{
		"[[publish]]\nto = 80":                               "f:1:1: publish[0].port: is missing: it must be a port of the host",
		"[[publish]]\nport = 0":                              "f:2:1: publish[0].port: 0 is too little: the least is 1",
		"[[publish]]\nport = 65536":                          "publish[0].port: 65536 is too much: the most is 65535",
		"[[publish]]\nport = '80'":                           "publish[0].port: must be an integer, not a string",
		"[[publish]]\nport = 80\nto = 70000":                 "f:3:1: publish[0].to: 70000 is too much",
		"[[publish]]\nport = 80\nproto = 'sctp'":             `f:3:1: publish[0].proto: "sctp" is unknown: it must be "tcp" or "udp"`,
		"[[publish]]\nport = 80\naddress = 'eth0'":           `f:3:1: publish[0].address: "eth0" is not an address of a host`,
		"[[publish]]\nport = 80\naddress = '::ffff:1.2.3.4'": "is not an address of a host",
		"[[publish]]\nport = 80\naddress = '0.0.0.0'":        `"0.0.0.0" is no address of its own: without this key it is all of the host's`,
		"[[publish]]\nport = 80\naddress = '127.0.0.1'":      `"127.0.0.1" leads to no guest by the kernel: write loopback = true`,
		"[[publish]]\nport = 80\n[[publish]]\nport = 80":     "f:4:1: publish[1].port: tcp port 80 is published by publish[0] too",
		"[[publish]]\nport = 80\naddress = '2001:db8::1'\n[[publish]]\nport = 80\naddress = '2001:DB8::1'":                             "tcp port 80 is published by publish[0] too",
		"[[publish]]\nport = 80\naddress = '192.0.2.1'\n[[publish]]\nport = 80\nproto = 'tcp'":                                         "tcp port 80 is published by publish[0] too",
		"[[publish]]\nport = 80\naddress = '192.0.2.1'\nloopback = true\n[[publish]]\nport = 80\naddress = '192.0.2.2'\nloopback=true": "tcp port 80 of 127.0.0.1 and ::1 is published by publish[0] too",
		"[[net]]\ntype = 'host'\n[[publish]]\nport = 80":                                                                               "f:3:1: publish[0]: the guest has the host's network: its ports are the host's",
		"[[net]]\ntype = 'none'\n[[publish]]\nport = 80":                                                                               "f:3:1: publish[0]: the guest has no interface that a port could lead to",
		"[share]\nnet = 'web'\n[[publish]]\nport = 80":                                                                                 "f:3:1: publish[0]: the guest has the network of another: publish the port there",
		strings.Repeat("[[publish]]\nport = 80\n", 257):                                                                                "f:1:1: publish: 257 entries: the most is 256",
		"[share]\nnet = 'a b'":                                                  `f:2:1: share.net: name "a b": only`,
		"[share]\nnet = 'web'\n[[net]]\ntype = 'none'":                          "f:2:1: share.net: a guest with the network of another has no interfaces of its own: take [[net]] out",
		"privileged = true\n[share]\nnet = 'web'":                               "f:3:1: share.net: a privileged guest can't have another guest's network",
		"privileged = true\n[[net]]\ntype = 'host'":                             "f:3:1: net[0].type: a privileged guest can't have the host's network",
		"[dns]\nservers = ['ns1']":                                              `f:2:1: dns.servers[0]: "ns1" is not the address of a server`,
		"[dns]\nservers = ['192.0.2.1', '192.0.2.1']":                           `dns.servers[1]: "192.0.2.1" is named twice`,
		"[dns]\nservers = ['192.0.2.1', '192.0.2.2', '192.0.2.3', '192.0.2.4']": "dns.servers: 4 servers: the most is 3",
		"[dns]\nsearch = ['a b']":                                               `dns.search[0]: "a b": only A-Z a-z 0-9 . - _ are allowed`,
		"[dns]\nsearch = ['a', 'b', 'c', 'd', 'e', 'f', 'g']":                   "dns.search: 7 domains: the most is 6",
		"[dns]\nwrite = 1":                                                      "dns.write: must be true or false",
	} {
		_, err := Parse([]byte(text), "f")
		checkRefusal(t, text, err, want)
	}
}

// What is allowed, and what it stands for.
func TestNetTakes(t *testing.T) {
	for _, text := range []string{
		"[[net]]", "[[net]]\n[[net]]", "[[net]]\nparent = 'br0'", "[[net]]\nname = 'enp3s0.100'",
		"[[net]]\ntype = 'phys'\nparent = 'lan'\nfilter = false",
		"[[net]]\nipv4 = ['10.0.0.0/31', '10.0.0.7/32', '10.0.0.9']\nipv6 = ['fd00::1']\nmtu = 1280",
		"[[net]]\ngateway = '10.0.0.1 fe80::1'", "[[net]]\ngateway = 'none'",
		"[[net]]\ntype = 'routed'\nipv6 = ['2001:db8::1']\nparent = 'lan'",
		"[[publish]]\nport = 53\n[[publish]]\nport = 53\nproto = 'udp'",
		"[[publish]]\nport = 53\naddress = '192.0.2.1'\n[[publish]]\nport = 53\naddress = '192.0.2.2'\nloopback = true",
		"[dns]\nservers = ['fe80::1%eth0']\nsearch = ['example.org.']",
	} {
		if _, err := Parse([]byte(text), "f"); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	g, err := Parse([]byte("[[net]]\nup = false\n[[net]]\nname = 'dmz0'\nfilter = false\n[[net]]\ntype = 'macvlan'\nparent = 'lan'"), "f")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for i, n := range g.Net {
		got = append(got, fmt.Sprintln(n.Kind(), n.IfName(i), n.IsUp(), n.Filtered()))
	}
	if want := []string{"bridge eth0 false true\n", "bridge dmz0 true false\n", "macvlan eth2 true false\n"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	p := Publish{Port: ptr(8080)}
	if proto, port, to := p.Wire(); proto != "tcp" || port != 8080 || to != 8080 {
		t.Error(proto, port, to)
	}
}

func TestRates(t *testing.T) {
	for text, want := range map[string]Rate{"8000": 8000, "8kbit": 8000, "100mbit": 100e6, "1Gbit": 1e9, "12345bit": 12345, "1500kbit": 1500e3} {
		got, err := ParseRate(text)
		if err != nil || got != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
		if again, err := ParseRate(got.String()); err != nil || again != got {
			t.Errorf("%s became %s: %v", text, got, err)
		}
	}
}

// A limit is set in the entry's own table, wherever the entry stands.
func TestEditOfInterfaces(t *testing.T) {
	rendered := Default()
	rendered.Net = []Net{{Type: NetBridge}, {Network: "dmz"}}
	for name, text := range map[string]string{
		"rendered": string(Render(rendered)), "inline": "net = [{type = \"bridge\"}, {network = \"dmz\"}]\n",
		"bare": "[[net]]\ntype = \"bridge\"\n\n[[net]]\nnetwork = \"dmz\"\n\n[console]\nttys = 4\n",
	} {
		changes := changesOf([]string{"net[0].limits.ingress=10mbit", "net.1.limits.egress=1000000", "net[0].mtu=1400", "net[1].up=false", "publish[0].port=8080", "dns.servers=192.0.2.1"})
		got, err := Edit([]byte(text), "f", changes)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		g, err := Parse(got, "f")
		if err != nil || g.Net[0].Limits.Ingress.String() != "10mbit" || *g.Net[1].Limits.Egress != 1e6 || *g.Net[0].MTU != 1400 || g.Net[1].IsUp() || *g.Publish[0].Port != 8080 {
			t.Fatalf("%s: %v\n%s", name, err, got)
		}
		before, _ := Parse([]byte(text), "f")
		want := []string{"net[0].mtu", "net[0].limits.ingress", "net[1].up", "net[1].limits.egress", "publish[0].port", "dns.servers"}
		if diff := Diff(before, g); !slices.Equal(diff, want) {
			t.Errorf("%s: changed: %q", name, diff)
		}
		for _, c := range []string{"net[0].mtu", "net[0].limits.ingress", "net[1].up", "net[1].limits.egress", "publish[0]", "dns.servers"} {
			if got, err = Edit(got, "f", []Change{{Key: c, Unset: true}}); err != nil {
				t.Fatalf("%s: unset %s: %v", name, c, err)
			}
		}
		if g, err = Parse(got, "f"); err != nil || len(Diff(before, g)) > 0 {
			t.Errorf("%s: %v, %q is left", name, err, Diff(before, g))
		}
	}
	values, err := Values([]byte("[[net]]\nmtu = 1400\n[net.limits]\ningress = '10mbit'\n"), "f", "net[0].limits")
	if err != nil || len(values) != 2 || values[0].Text != "10mbit" || values[0].Value != int64(10e6) || values[1].Value != nil {
		t.Errorf("%+v, %v", values, err)
	}
}

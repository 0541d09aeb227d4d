package spec

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
)

// Bounds of interfaces: what the kernel and its headers have.
const (
	maxNets      = 16
	maxPublishes = 256
	maxIfname    = 15
	minMTU       = 68
	maxMTU       = 65535
	maxVLAN      = 4094
	maxServers   = 3 // of resolv.conf(5)
	maxSearch    = 6
	maxAddresses = 64
)

// The types of an interface.
const (
	NetNone    = "none"
	NetHost    = "host"
	NetBridge  = "bridge"
	NetRouted  = "routed"
	NetMacvlan = "macvlan"
	NetIpvlan  = "ipvlan"
	NetVLAN    = "vlan"
	NetPhys    = "phys"
)

func netTypes() []string {
	return []string{NetBridge, NetRouted, NetMacvlan, NetIpvlan, NetVLAN, NetPhys, NetNone, NetHost}
}

// Kind is the entry's type: the default's, if it has none.
func (n *Net) Kind() string {
	if n.Type == "" {
		return NetBridge
	}
	return n.Type
}

// IfName is the name in the guest of the entry's interface, the i-th.
func (n *Net) IfName(i int) string {
	if n.Name != "" {
		return n.Name
	}
	return fmt.Sprintf("eth%d", i)
}

// IsUp says whether the interface is to be up.
func (n *Net) IsUp() bool { return n.Up == nil || *n.Up }

// Filtered says whether what the guest sends is checked.
func (n *Net) Filtered() bool { return (n.Filter == nil || *n.Filter) && n.isVeth() }

func (n *Net) isVeth() bool { return n.Kind() == NetBridge || n.Kind() == NetRouted }

// hasInterface is false for none and host.
func (n *Net) hasInterface() bool { return n.Kind() != NetNone && n.Kind() != NetHost }

func checkNets(g *Guest, fail report) {
	if len(g.Net) > maxNets {
		fail("net", "%d entries: the most is %d", len(g.Net), maxNets)
		return
	}
	names := map[string]bool{}
	for i := range g.Net {
		n, key := &g.Net[i], indexPath("net", i)
		checkWord(key+".type", n.Kind(), netTypes(), fail)
		if !n.hasInterface() && len(g.Net) > 1 {
			fail(key+".type", "%q stands for no interface: there can be no other entry beside it", n.Kind())
		}
		if g.Privileged && n.Kind() == NetHost {
			fail(key+".type", "a privileged guest can't have the host's network: its root would set it up and take it down")
		}
		n.check(key, i, fail)
		if name := n.IfName(i); n.hasInterface() && names[name] {
			fail(key+".name", "%s is the name of an interface before it", show(name))
		} else {
			names[name] = true
		}
	}
	if g.Share.Net != "" {
		if err := CheckName(g.Share.Net); err != nil {
			fail("share.net", "%s", err)
		}
		if len(g.Net) > 0 {
			fail("share.net", "a guest with the network of another has no interfaces of its own: take [[net]] out")
		}
		if g.Privileged {
			fail("share.net", "a privileged guest can't have another guest's network")
		}
	}
}

func (n *Net) check(key string, i int, fail report) {
	if err := checkIfname(n.IfName(i)); err != nil {
		fail(key+".name", "%s", err)
	}
	if n.Parent != "" {
		if err := checkIfname(n.Parent); err != nil {
			fail(key+".parent", "%s", err)
		}
	}
	n.checkType(key, fail)
	if mac, err := net.ParseMAC(n.MAC); n.MAC != "" && (err != nil || len(mac) != 6) {
		fail(key+".mac", "%s is not a hardware address: write it as 02:5c:00:00:00:01", show(n.MAC))
	} else if n.MAC != "" && (mac[0]&1 != 0 || slices.Max(mac) == 0) {
		fail(key+".mac", "%s is not the address of one interface", show(n.MAC))
	}
	if n.MTU != nil {
		checkRange(key+".mtu", *n.MTU, minMTU, maxMTU, fail)
	}
	v4 := checkAddresses(key+".ipv4", n.IPv4, netip.Addr.Is4, "an IPv4", fail)
	v6 := checkAddresses(key+".ipv6", n.IPv6, netip.Addr.Is6, "an IPv6", fail)
	if v6 && n.MTU != nil && *n.MTU < 1280 {
		fail(key+".mtu", "%d is too little for IPv6: the least is 1280", *n.MTU)
	}
	if n.Kind() == NetRouted && !v4 && !v6 {
		fail(key+".ipv4", "a routed interface has the addresses that are written here: there is none")
	}
	n.checkGateway(key, fail)
}

// checkType refuses what an interface of the type can't have.
func (n *Net) checkType(key string, fail report) {
	refuse := func(name string, has bool) {
		if has {
			fail(key+"."+name, "makes no sense for the type %s", n.Kind())
		}
	}
	refuse("network", n.Network != "" && n.Kind() != NetBridge)
	refuse("vlan", n.VLAN != nil && n.Kind() != NetVLAN)
	refuse("isolate", n.Isolate && n.Kind() != NetBridge)
	refuse("filter", n.Filter != nil && *n.Filter && !n.isVeth())
	refuse("limits", n.Limits != NetLimits{} && !n.isVeth())
	refuse("mac", n.MAC != "" && n.Kind() == NetIpvlan)
	if !n.hasInterface() {
		for name, has := range map[string]bool{"name": n.Name != "", "parent": n.Parent != "", "mac": n.MAC != "", "mtu": n.MTU != nil, "up": n.Up != nil,
			"ipv4": len(n.IPv4) > 0, "ipv6": len(n.IPv6) > 0, "gateway": n.Gateway != ""} {
			refuse(name, has)
		}
	}
	if n.Network != "" {
		if n.Parent != "" {
			fail(key+".parent", "a bridge interface has a network or a parent, not both")
		}
		if err := CheckName(n.Network); err != nil {
			fail(key+".network", "%s", err)
		}
	}
	switch n.Kind() {
	case NetMacvlan, NetIpvlan, NetVLAN, NetPhys:
		if n.Parent == "" {
			fail(key+".parent", "is missing: the type %s needs a device of the host", n.Kind())
		}
	}
	if n.Kind() == NetVLAN && n.VLAN == nil {
		fail(key+".vlan", "is missing: it must be the VLAN's number")
	}
	if n.VLAN != nil {
		checkRange(key+".vlan", *n.VLAN, 1, maxVLAN, fail)
	}
	modes := map[string][]string{NetMacvlan: {"bridge", "private", "vepa", "passthru"}, NetIpvlan: {"l2", "l3", "l3s"}}[n.Kind()]
	if n.Mode != "" && modes != nil {
		checkWord(key+".mode", n.Mode, modes, fail)
	}
	refuse("mode", n.Mode != "" && modes == nil)
}

func (n *Net) checkGateway(key string, fail report) {
	if n.Gateway == "" || n.Gateway == "auto" || n.Gateway == "none" {
		return
	}
	var four, six int
	for _, word := range strings.Fields(n.Gateway) {
		addr, err := netip.ParseAddr(word)
		switch {
		case err != nil:
			fail(key+".gateway", "%s is neither \"auto\", \"none\", nor an address", show(word))
			return
		case addr.Is4():
			four++
		default:
			six++
		}
	}
	if four > 1 || six > 1 || four+six == 0 {
		fail(key+".gateway", "one address a family at most")
	}
}

// checkAddresses says whether there is one.
func checkAddresses(key string, list []string, family func(netip.Addr) bool, what string, fail report) bool {
	if len(list) > maxAddresses {
		fail(key, "%d addresses: the most is %d", len(list), maxAddresses)
	}
	seen := map[netip.Addr]bool{}
	for i, text := range list {
		p, err := ParseAddress(text)
		switch {
		case err != nil || !family(p.Addr()):
			fail(indexPath(key, i), "%s is not %s address with the length of a prefix", show(text), what)
		case p.Addr().IsMulticast() || p.Addr().IsUnspecified() || p.Addr().IsLoopback():
			fail(indexPath(key, i), "%s can't be the address of an interface", show(text))
		case seen[p.Addr()]:
			fail(indexPath(key, i), "%s is there twice", show(text))
		}
		seen[p.Addr()] = true
	}
	return len(list) > 0
}

// ParseAddress reads an address with the length of its subnet's prefix; without a
// length it is one host's: 32 or 128.
func ParseAddress(text string) (netip.Prefix, error) {
	if !strings.Contains(text, "/") {
		addr, err := netip.ParseAddr(text)
		if err != nil || addr.Zone() != "" || addr.Is4In6() {
			return netip.Prefix{}, fmt.Errorf("%s is not an address", show(text))
		}
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil || p.Addr().Is4In6() || p.Bits() == 0 {
		return netip.Prefix{}, fmt.Errorf("%s is not an address with a prefix's length", show(text))
	}
	return p, nil
}

// checkIfname checks what the kernel takes as the name of a link, and programs as a word.
func checkIfname(name string) error {
	switch {
	case name == "" || len(name) > maxIfname:
		return fmt.Errorf("%s is not the name of a link: it has 1 to %d characters", show(name), maxIfname)
	case name == "." || name == ".." || !madeOf(name, letters+digits+"-_."):
		return fmt.Errorf("%s is not the name of a link: only A-Z a-z 0-9 . - _ are allowed", show(name))
	case name == "lo" || name == "all" || name == "default":
		return fmt.Errorf("%s can't be an interface of its own", show(name))
	}
	return nil
}

func checkPublishes(list []Publish, fail report) {
	if len(list) > maxPublishes {
		fail("publish", "%d entries: the most is %d", len(list), maxPublishes)
		return
	}
	for i := range list {
		p, key := &list[i], indexPath("publish", i)
		if p.Port == nil {
			fail(key+".port", "is missing: it must be a port of the host")
			continue
		}
		checkRange(key+".port", *p.Port, 1, 65535, fail)
		if p.To != nil {
			checkRange(key+".to", *p.To, 1, 65535, fail)
		}
		if p.Proto != "" {
			checkWord(key+".proto", p.Proto, []string{"tcp", "udp"}, fail)
		}
		if addr, err := netip.ParseAddr(p.Address); p.Address != "" && (err != nil || addr.Zone() != "" || addr.IsMulticast()) {
			fail(key+".address", "%s is not an address of a host", show(p.Address))
		} else if p.Address != "" && addr.IsLoopback() {
			fail(key+".address", "%s leads to no guest by the kernel: write loopback = true", show(p.Address))
		}
		for j := range i {
			if o := &list[j]; o.Port != nil && *o.Port == *p.Port && o.proto() == p.proto() && (o.Address == p.Address || o.Address == "" || p.Address == "") {
				fail(key+".port", "%s port %d is published by an entry before it", p.proto(), *p.Port)
				break
			}
		}
	}
}

func (p *Publish) proto() string {
	if p.Proto == "" {
		return "tcp"
	}
	return p.Proto
}

// Wire is the entry with its defaults: the protocol, the host's port and the guest's.
func (p *Publish) Wire() (proto string, port, to uint16) {
	port = uint16(*p.Port)
	to = port
	if p.To != nil {
		to = uint16(*p.To)
	}
	return p.proto(), port, to
}

func (d *DNS) check(fail report) {
	if len(d.Servers) > maxServers {
		fail("dns.servers", "%d servers: the most is %d", len(d.Servers), maxServers)
	}
	for i, s := range d.Servers {
		if addr, err := netip.ParseAddr(s); err != nil || addr.IsUnspecified() {
			fail(indexPath("dns.servers", i), "%s is not the address of a server", show(s))
		}
	}
	if len(d.Search) > maxSearch {
		fail("dns.search", "%d domains: the most is %d", len(d.Search), maxSearch)
	}
	for i, s := range d.Search {
		if err := checkHostname(strings.TrimSuffix(s, ".")); err != nil {
			fail(indexPath("dns.search", i), "%s", err)
		}
	}
}

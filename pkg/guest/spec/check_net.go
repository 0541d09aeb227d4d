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
	maxIfname    = 15
	minMTU       = 68
	maxMTU       = 65535
	maxVLAN      = 4094
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
	once := onlyOnce{fail, map[string]string{}}
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
		once.interfaceOf(key, n, i)
	}
	if g.Share.Net != "" {
		g.checkShare(fail)
	}
}

func (g *Guest) checkShare(fail report) {
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

// onlyOnce refuses what only one interface of a guest can have.
type onlyOnce struct {
	fail report
	at   map[string]string // the entry that has it
}

func (o *onlyOnce) interfaceOf(key string, n *Net, i int) {
	if !n.hasInterface() {
		return
	}
	o.has(key, key+".name", "name "+n.IfName(i), n.IfName(i))
	if mac, err := net.ParseMAC(n.MAC); err == nil {
		o.has(key, key+".mac", mac.String(), n.MAC)
	}
	for _, list := range []struct {
		name  string
		texts []string
	}{{"ipv4", n.IPv4}, {"ipv6", n.IPv6}} {
		for j, text := range list.texts {
			if p, err := ParseAddress(text); err == nil {
				o.has(key, indexPath(key+"."+list.name, j), p.Addr().String(), text)
			}
		}
	}
}

// has notes that an entry has a value; path is where it is written, as text.
func (o *onlyOnce) has(entry, path, value, text string) {
	switch other, taken := o.at[value]; {
	case taken && other == entry:
		o.fail(path, "%s is there twice", show(text))
	case taken:
		o.fail(path, "%s is that of %s too", show(text), other)
	}
	o.at[value] = entry
}

func (n *Net) check(key string, i int, fail report) {
	if err := checkIfname(n.IfName(i)); err != nil {
		fail(key+".name", "%s", err)
	}
	n.checkType(key, fail)
	n.checkLink(key, fail)
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
		refuse("name", n.Name != "")
		refuse("parent", n.Parent != "")
		refuse("mac", n.MAC != "")
		refuse("mtu", n.MTU != nil)
		refuse("up", n.Up != nil)
		refuse("ipv4", len(n.IPv4) > 0)
		refuse("ipv6", len(n.IPv6) > 0)
		refuse("gateway", n.Gateway != "")
	}
	modes := map[string][]string{NetMacvlan: {"bridge", "private", "vepa", "passthru"}, NetIpvlan: {"l2", "l3", "l3s"}}[n.Kind()]
	if n.Mode != "" && modes != nil {
		checkWord(key+".mode", n.Mode, modes, fail)
	}
	refuse("mode", n.Mode != "" && modes == nil)
}

// checkLink is about what the interface hangs on.
func (n *Net) checkLink(key string, fail report) {
	if n.Network != "" {
		if n.Parent != "" {
			fail(key+".parent", "a bridge interface has a network or a parent, not both")
		}
		if err := CheckNetworkName(n.Network); err != nil {
			fail(key+".network", "%s", err)
		}
	}
	if n.Parent != "" {
		if err := checkIfname(n.Parent); err != nil {
			fail(key+".parent", "%s", err)
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
}

func (n *Net) checkGateway(key string, fail report) {
	if n.Gateway == "" || n.Gateway == "auto" || n.Gateway == "none" {
		return
	}
	var four, six int
	for _, word := range strings.Fields(n.Gateway) {
		addr, err := netip.ParseAddr(word)
		switch {
		case err != nil || addr.Zone() != "" || addr.Is4In6() || addr.IsMulticast() || addr.IsUnspecified() || addr.IsLoopback():
			fail(key+".gateway", "%s is neither \"auto\", \"none\", nor the address of a router", show(word))
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
	for i, text := range list {
		p, err := ParseAddress(text)
		switch {
		case err != nil || !family(p.Addr()):
			fail(indexPath(key, i), "%s is not %s address with the length of a prefix", show(text), what)
		case p.Addr().IsMulticast() || p.Addr().IsUnspecified() || p.Addr().IsLoopback():
			fail(indexPath(key, i), "%s can't be the address of an interface", show(text))
		case p.Addr() == p.Masked().Addr() && p.Bits() < p.Addr().BitLen()-1:
			fail(indexPath(key, i), "%s is a whole subnet, not an address in it", show(text))
		}
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

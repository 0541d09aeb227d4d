package spec

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// The lengths that a network's prefix can have: less than 8 bits are more than anybody's
// own, and with 31 there is no place for a guest. DHCPv6 and router advertisements want 64.
const (
	minBits4 = 8
	maxBits4 = 30
	bits6    = 64
	minMTU6  = 1280
)

// CheckNetworkName checks a network's name: formed like a guest's, but none of the words
// that create takes in its place.
func CheckNetworkName(name string) error {
	if err := CheckName(name); err != nil {
		return err
	}
	if slices.Contains([]string{"none", "auto", "lo", "default", NetBridge, NetRouted, NetMacvlan, NetIpvlan, NetVLAN, NetPhys}, name) {
		return fmt.Errorf("name %s is reserved", show(name))
	}
	return nil
}

func (n *Network) check(fail report) {
	if n.Version != networkVersion {
		fail("version", "schema version %d is unknown: it must be %d", n.Version, networkVersion)
	}
	checkWord("type", n.Type, []string{NetBridge}, fail)
	for _, s := range []struct{ key, text string }{{"ipv4", n.IPv4}, {"ipv6", n.IPv6}} {
		if _, err := parseSubnet(s.key == "ipv4", s.text); err != nil {
			fail(s.key, "%s", err)
		}
	}
	if n.IPv4 == SubnetNone && n.IPv6 == SubnetNone {
		fail("ipv6", "a network needs IPv4, IPv6 or both: both are \"none\"")
	}
	if err := checkDomain(n.Domain); err != nil {
		fail("domain", "%s", err)
	}
	if n.MTU != nil {
		checkRange("mtu", *n.MTU, minMTU, maxMTU, fail)
		if n.IPv6 != SubnetNone && *n.MTU < minMTU6 {
			fail("mtu", "%d is too little for IPv6: the least is %d, or ipv6 is \"none\"", *n.MTU, minMTU6)
		}
	}
}

// Subnets are the network's own addresses with the lengths of the subnets; zero where
// they are "auto" or "none". n has passed Check.
func (n *Network) Subnets() (v4, v6 netip.Prefix) {
	v4, _ = parseSubnet(true, n.IPv4)
	v6, _ = parseSubnet(false, n.IPv6)
	return v4, v6
}

func checkDomain(name string) error {
	if name == "" {
		return errors.New("is missing: it must be a domain, as in \"sysct\"")
	}
	if strings.Contains(name, "_") {
		return fmt.Errorf("%s: only A-Z a-z 0-9 . - are allowed", show(name))
	}
	return checkHostname(name)
}

// parseSubnet reads "auto" and "none", both of which are zero, or the address of a host
// with the length of its subnet.
func parseSubnet(four bool, text string) (netip.Prefix, error) {
	family, example := "an IPv6", `"fd12:3456:789a::1/64"`
	if four {
		family, example = "an IPv4", `"10.1.2.1/24"`
	}
	if text == SubnetAuto || text == SubnetNone {
		return netip.Prefix{}, nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil || p.Addr().Is4() != four || p.Addr().Is4In6() {
		return netip.Prefix{}, fmt.Errorf("%s is neither \"auto\", \"none\", nor %s address with the length of a prefix, as in %s", show(text), family, example)
	}
	return p, checkSubnet(p)
}

func checkSubnet(p netip.Prefix) error {
	a := p.Addr()
	switch {
	case a.IsMulticast() || a.IsUnspecified() || a.IsLoopback() || a.IsLinkLocalUnicast() || a.Is4() && a.As4()[0] >= 240:
		return fmt.Errorf("%s can't be the address of a network", show(p.String()))
	case a.Is4() && p.Bits() < minBits4:
		return fmt.Errorf("%s is too large: the least length is %d", show(p.String()), minBits4)
	case a.Is4() && p.Bits() > maxBits4:
		return fmt.Errorf("%s is too small for a guest: the most is %d", show(p.String()), maxBits4)
	case a.Is6() && p.Bits() != bits6:
		return fmt.Errorf("%s: the length must be %d", show(p.String()), bits6)
	case p.Masked().Addr() == a:
		return fmt.Errorf("%s is the subnet, not the host's address in it: write %s/%d", show(p.String()), a.Next(), p.Bits())
	case a.Is4() && !p.Contains(a.Next()):
		return fmt.Errorf("%s is the subnet's broadcast address", show(p.String()))
	}
	return nil
}

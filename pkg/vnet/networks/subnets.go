package networks

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"

	"github.com/sysct/sysct/pkg/guest/spec"
)

// manyClaims is how many networks the host's file has before those of instances that are
// gone are dropped. Less is no reason: a state directory may be away for a moment.
const manyClaims = 256

// subnets are those of a network as its definition has them, or chosen, and kept.
func (s *Store) subnets(ctx context.Context, name string, def *spec.Network) (v4, v6 subnet, err error) {
	f, err := s.readHost()
	if errors.Is(err, ErrDamaged) {
		if c, ok := s.withoutHost(name, def); ok {
			s.warn("network %s keeps its subnets, but %v", name, err)
			return subnet{c.IPv4, c.Auto4}, subnet{c.IPv6, c.Auto6}, nil
		}
	}
	if err != nil {
		return v4, v6, err
	}
	want := s.wanted(name, def, f.find(s.StateDir, name))
	if had := f.find(s.StateDir, name); had == nil || *had != want || want.lacks() {
		if err := s.changeHost(ctx, func(f *hostFile) error { return s.claim(f, def, name, &want) }); err != nil {
			return v4, v6, err
		}
	}
	return subnet{want.IPv4, want.Auto4}, subnet{want.IPv6, want.Auto6}, nil
}

// wanted is what a definition asks for, with what was chosen for it before.
func (s *Store) wanted(name string, def *spec.Network, had *claim) claim {
	c := claim{StateDir: s.StateDir, Network: name, Auto4: def.IPv4 == spec.SubnetAuto, Auto6: def.IPv6 == spec.SubnetAuto}
	c.IPv4, c.IPv6 = def.Subnets()
	if had != nil && had.Auto4 && c.Auto4 {
		c.IPv4 = had.IPv4
	}
	if had != nil && had.Auto6 && c.Auto6 {
		c.IPv6 = had.IPv6
	}
	return c
}

// lacks says that something is still to be chosen.
func (c *claim) lacks() bool { return c.Auto4 && !c.IPv4.IsValid() || c.Auto6 && !c.IPv6.IsValid() }

// claim puts a network's subnets into the file, and into c those that it chooses.
func (s *Store) claim(f *hostFile, def *spec.Network, name string, c *claim) error {
	*c = s.wanted(name, def, s.had(f, name))
	if len(f.Claims) > manyClaims {
		f.Claims = slices.DeleteFunc(f.Claims, func(c claim) bool {
			_, err := os.Lstat(c.StateDir)
			return errors.Is(err, os.ErrNotExist)
		})
	}
	f.Claims = slices.DeleteFunc(f.Claims, func(c claim) bool { return c.is(s.StateDir, name) })
	for _, p := range []netip.Prefix{c.IPv4, c.IPv6} {
		if i := slices.IndexFunc(f.Claims, func(o claim) bool { return o.overlaps(p) }); i >= 0 {
			o := f.Claims[i]
			return as(ErrConfig, "cannot use subnet %s for network %s: network %s of %s has it or a part of it", p.Masked(), name, o.Network, o.StateDir)
		}
	}
	if c.lacks() {
		routes, err := hostRoutes()
		if err != nil {
			return err
		}
		taken := append(prefixes(routes), nameServers()...)
		for _, o := range f.Claims {
			taken = append(taken, o.IPv4, o.IPv6)
		}
		if err := c.choose(taken, random()); err != nil {
			return err
		}
	}
	f.Claims = append(f.Claims, *c)
	return nil
}

// choose chooses what is lacking among all that overlaps nothing taken, beginning at a
// random place: hosts that are joined by a VPN later should differ.
func (c *claim) choose(taken []netip.Prefix, random [16]byte) error {
	if c.Auto4 && !c.IPv4.IsValid() {
		p, ok := free4(taken, binary.BigEndian.Uint32(random[:4]))
		if !ok {
			return as(ErrConfig, "cannot choose a subnet for network %s: routes of the host or other networks have all of 10.0.0.0/8 and 172.16.0.0/12\nhint: write one of your own as ipv4 = \"192.168.7.1/24\", or ipv4 = \"none\"", c.Network)
		}
		c.IPv4 = p
	}
	for n := 0; c.Auto6 && !c.IPv6.IsValid(); n++ {
		p := unique(random, n)
		if !overlapsAny(taken, p) {
			c.IPv6 = p
		}
	}
	return nil
}

// The private ranges that IPv4 subnets are taken from, as numbers of /24s. The first of
// 10/8 are what home routers and hosters use; 172.16/12 is Docker's, so it comes last.
const (
	first10, count10   = 0x0a0100, 0x0a_ff_ff - 0x0a_01_00
	first172, count172 = 0xac1000, 0x1000
)

// free4 is the first /24 from a place in 10/8 on, else in 172.16/12, that overlaps nothing.
func free4(taken []netip.Prefix, from uint32) (netip.Prefix, bool) {
	for _, pool := range [][2]uint32{{first10, count10}, {first172, count172}} {
		for i := range pool[1] {
			n := pool[0] + (from%pool[1]+i)%pool[1]
			p := netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(n >> 16), byte(n >> 8), byte(n), 1}), 24)
			if !overlapsAny(taken, p) {
				return p, true
			}
		}
	}
	return netip.Prefix{}, false
}

// unique is the n-th /64 of unique local addresses (RFC 4193) made of random bytes.
func unique(random [16]byte, n int) netip.Prefix {
	var a [16]byte
	a[0] = 0xfd
	copy(a[1:6], random[4:9])
	binary.BigEndian.PutUint16(a[6:8], binary.BigEndian.Uint16(random[9:11])+uint16(n))
	a[15] = 1
	return netip.PrefixFrom(netip.AddrFrom16(a), 64)
}

// overlapsAny leaves routes out that lead to a large part of all there is, as those of a
// VPN that takes everything do: nothing could be chosen beside them.
func overlapsAny(taken []netip.Prefix, p netip.Prefix) bool {
	return slices.ContainsFunc(taken, func(t netip.Prefix) bool { return t.Bits() >= widest(t.Addr()) && t.Overlaps(p) })
}

func widest(a netip.Addr) int {
	if a.Is4() {
		return 8
	}
	return 7 // all of the unique local addresses
}

func random() [16]byte {
	var b [16]byte
	rand.Read(b[:]) // never fails
	return b
}

// collisions are the routes of the host that lead elsewhere with addresses of a network's.
func collisions(routes []route, device int, subnets ...netip.Prefix) []string {
	var found []string
	for _, r := range routes {
		for _, p := range subnets {
			if p.IsValid() && r.link != device && r.to.Bits() >= widest(r.to.Addr()) && r.to.Overlaps(p) {
				found = append(found, fmt.Sprintf("%s to %s", p.Masked(), r))
			}
		}
	}
	return found
}

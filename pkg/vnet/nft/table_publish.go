package nft

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/sysct/sysct/pkg/vnet"
)

// set is one of the table's sets, or with a type of two sides a map.
type set struct {
	name, kind string
	elements   []string
}

// guestSets are those that change with guests that start and stop: the published ports,
// with an address of the host's and without, and the addresses that no other guest reaches.
func guestSets(c Content) []set {
	var out []set
	for _, f := range families {
		at, any := published(c.Published, f)
		out = append(out, set{"at" + f.digit, fmt.Sprintf("%s . inet_proto . inet_service : %s . inet_service", f.kind, f.kind), at},
			set{"any" + f.digit, fmt.Sprintf("inet_proto . inet_service : %s . inet_service", f.kind), any})
	}
	for _, f := range families {
		out = append(out, set{"isolated" + f.digit, f.kind, isolated(c.Isolated, f)})
	}
	return out
}

// published are the elements of the two maps of a family.
func published(list []Published, f family) (withAddress, without []string) {
	at, any := map[string]string{}, map[string]string{}
	for _, p := range list {
		guest := f.guest(p)
		if !guest.IsValid() || p.Address.IsValid() && p.Address.Is4() != f.four {
			continue
		}
		key, to := fmt.Sprintf("%s . %d", p.Proto, p.Port), any
		if p.Address.IsValid() && !p.Address.IsUnspecified() {
			key, to = fmt.Sprintf("%s . %s", p.Address, key), at
		}
		value := fmt.Sprintf("comment %q : %s . %d", p.Guest, guest, p.To)
		// One key with two values is refused by the kernel, and the whole table with it.
		if has := to[key]; has == "" || value < has {
			to[key] = value
		}
	}
	return elements(at), elements(any)
}

// elements are a map's, in an order of their own.
func elements(m map[string]string) []string {
	var out []string
	for _, key := range slices.Sorted(maps.Keys(m)) {
		out = append(out, key+" "+m[key])
	}
	return out
}

// family is one of the two, in the words of nft.
type family struct {
	four            bool
	ip, digit, kind string
}

var families = [2]family{{true, "ip", "4", "ipv4_addr"}, {false, "ip6", "6", "ipv6_addr"}}

func (f family) guest(p Published) netip.Addr {
	if f.four {
		return p.Guest4
	}
	return p.Guest6
}

// isolated are the addresses of a family that no other guest reaches.
func isolated(list []Isolated, f family) []string {
	var out []string
	for _, g := range list {
		for _, a := range g.Addresses {
			if a.Is4() == f.four {
				out = append(out, a.String())
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// dstnat writes the chains that published ports are sent on by: what comes in, and what
// the host sends itself. Only the host's own addresses are published: another host's
// port 80 is not this one's. The loopback addresses stay the host's in every case, as
// the kernel drops what comes back from outside for them, and the link-local ones, which
// nothing is forwarded from; so do a network's name and DHCP server.
func (w *writer) dstnat(nets []vnet.Network) {
	w.open("chain published")
	w.line("ip daddr 127.0.0.0/8 return")
	w.line("ip6 daddr { ::1, fe80::/10 } return")
	for _, n := range nets {
		for _, p := range []netip.Prefix{n.IPv4, n.IPv6} {
			if p.IsValid() && n.DNS {
				w.line("%s daddr %s meta l4proto { tcp, udp } th dport 53 return", word(p.Addr()), p.Addr())
			}
			if p.IsValid() && n.DHCP && p.Addr().Is4() {
				w.line("ip daddr %s udp dport 67 return", p.Addr())
			}
		}
	}
	for _, f := range families {
		w.line("dnat %s to %s daddr . meta l4proto . th dport map @at%s", f.ip, f.ip, f.digit)
		w.line("dnat %s to meta l4proto . th dport map @any%s", f.ip, f.digit)
	}
	w.shut()
	w.open("chain prerouting")
	w.line("type nat hook prerouting priority dstnat; policy accept;")
	w.line("meta l4proto { tcp, udp } fib daddr type local jump published")
	w.shut()
	w.open("chain output")
	w.line("type nat hook output priority -100; policy accept;")
	w.line("meta l4proto { tcp, udp } fib daddr type local jump published")
	w.shut()
}

package spec

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Bounds of what a network is used for.
const (
	maxPublishes = 256
	maxServers   = 3 // of resolv.conf(5)
	maxSearch    = 6
)

func checkPublishes(g *Guest, fail report) {
	list := g.Publish
	if len(list) > maxPublishes {
		fail("publish", "%d entries: the most is %d", len(list), maxPublishes)
		return
	}
	for i := range list {
		p, key := &list[i], indexPath("publish", i)
		switch {
		case g.Share.Net != "":
			fail(key, "the guest has the network of another: publish the port there")
		case len(g.Net) > 0 && g.Net[0].Kind() == NetHost:
			fail(key, "the guest has the host's network: its ports are the host's")
		case len(g.Net) > 0 && g.Net[0].Kind() == NetNone:
			fail(key, "the guest has no interface that a port could lead to")
		}
		p.check(key, fail)
		for j := range i {
			if what := p.clash(&list[j]); what != "" {
				fail(key+".port", "%s is published by %s too", what, indexPath("publish", j))
				break
			}
		}
	}
}

func (p *Publish) check(key string, fail report) {
	if p.Port == nil {
		fail(key+".port", "is missing: it must be a port of the host")
	} else {
		checkRange(key+".port", *p.Port, 1, 65535, fail)
	}
	if p.To != nil {
		checkRange(key+".to", *p.To, 1, 65535, fail)
	}
	if p.Proto != "" {
		checkWord(key+".proto", p.Proto, []string{"tcp", "udp"}, fail)
	}
	if p.Address == "" {
		return
	}
	switch addr, err := netip.ParseAddr(p.Address); {
	case err != nil || addr.Zone() != "" || addr.Is4In6() || addr.IsMulticast():
		fail(key+".address", "%s is not an address of a host", show(p.Address))
	case addr.IsUnspecified():
		fail(key+".address", "%s is no address of its own: without this key it is all of the host's", show(p.Address))
	case addr.IsLoopback():
		fail(key+".address", "%s leads to no guest by the kernel: write loopback = true", show(p.Address))
	}
}

// clash says what two entries publish both, or nothing.
func (p *Publish) clash(o *Publish) string {
	if p.Port == nil || o.Port == nil || *p.Port != *o.Port || p.proto() != o.proto() {
		return ""
	}
	mine, _ := netip.ParseAddr(p.Address) // one that is none has been refused
	other, _ := netip.ParseAddr(o.Address)
	switch {
	case mine == other || p.Address == "" || o.Address == "":
		return fmt.Sprintf("%s port %d", p.proto(), *p.Port)
	case p.Loopback && o.Loopback:
		return fmt.Sprintf("%s port %d of 127.0.0.1 and ::1", p.proto(), *p.Port)
	}
	return ""
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
		if addr, err := netip.ParseAddr(s); err != nil || addr.IsUnspecified() || addr.IsMulticast() {
			fail(indexPath("dns.servers", i), "%s is not the address of a server", show(s))
		} else if slices.Contains(d.Servers[:i], s) {
			fail(indexPath("dns.servers", i), "%s is named twice", show(s))
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

package networks

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/sysct/sysct/pkg/vnet"
)

// leaseTime is what DHCP tells guests. An address is kept for as long as the guest is
// there; the time only bounds how late one learns of another name server.
const leaseTime = "1h"

// enterprise is the number of the documentation's enterprise (RFC 5612): the DHCPv6
// server's identifier has to be the same after a restart, and nothing else of it matters.
const enterprise = 32473

// dnsSetup is all that the files of a dnsmasq are made of.
type dnsSetup struct {
	net         *vnet.Network
	dir         string // of its files
	pidFile     string
	user, group string
	resolv      string // of the host's name servers
	entries     []entry
}

// config is dnsmasq.conf. All that is in it is checked where it is read: names of networks
// and domains have no character that could begin a line (security class: newlines in
// generated files, CVE-2026-23953).
func (d *dnsSetup) config() string {
	n := d.net
	var w lines
	w.add("# Made by sysct for the network %s: what is changed here is lost.", n.Name)
	w.add("interface=%s", n.Device)
	w.add("except-interface=lo")
	w.add("bind-interfaces")
	w.add("user=%s", d.user)
	w.add("group=%s", d.group)
	w.add("pid-file=%s", d.pidFile)
	w.add("no-hosts")
	if n.DNS {
		d.nameServer(&w)
	} else {
		w.add("port=0")
	}
	if n.DHCP {
		d.dhcp(&w)
	}
	return w.String()
}

func (d *dnsSetup) nameServer(w *lines) {
	n := d.net
	w.add("resolv-file=%s", d.resolv)
	w.add("domain=%s", n.Domain)
	w.add("local=/%s/", n.Domain)
	for _, p := range []netip.Prefix{n.IPv4, n.IPv6} {
		for _, zone := range reverseZones(p) {
			w.add("local=/%s/", zone)
		}
	}
	w.add("domain-needed")
	w.add("expand-hosts")
	w.add("addn-hosts=%s/hosts", d.dir)
	w.add("cache-size=1000")
}

// dhcp has only reservations: nothing is handed out that the ledger doesn't have, so a
// dnsmasq that comes after another needs nothing of it.
func (d *dnsSetup) dhcp(w *lines) {
	n := d.net
	w.add("dhcp-authoritative")
	w.add("dhcp-hostsfile=%s/dhcp-hosts", d.dir)
	w.add("dhcp-lease-max=1048576")
	w.add("leasefile-ro")
	w.add("no-ping")
	w.add("quiet-dhcp")
	w.add("quiet-dhcp6")
	w.add("quiet-ra")
	if !n.DNS {
		w.add("domain=%s", n.Domain)
	}
	if n.IPv4.IsValid() {
		w.add("dhcp-range=%s,static,%s,%s", n.IPv4.Masked().Addr(), mask(n.IPv4), leaseTime)
		w.add("dhcp-option=option:router,%s", n.IPv4.Addr())
		w.add("dhcp-option=option:domain-search,%s", n.Domain)
		if n.DNS {
			w.add("dhcp-option=option:dns-server,%s", n.IPv4.Addr())
		} else {
			w.add("dhcp-option=option:dns-server")
		}
		if n.MTU > 0 {
			w.add("dhcp-option=option:mtu,%d", n.MTU)
		}
	}
	if n.IPv6.IsValid() {
		w.add("dhcp-range=%s,static,%d,%s", n.IPv6.Masked().Addr(), n.IPv6.Bits(), leaseTime)
		w.add("dhcp-duid=%d,%s", enterprise, n.MAC)
		w.add("enable-ra")
		w.add("dhcp-option=option6:domain-search,%s", n.Domain)
		if n.DNS {
			w.add("dhcp-option=option6:dns-server,[%s]", n.IPv6.Addr())
		} else {
			w.add("dhcp-option=option6:dns-server")
		}
		if n.MTU > 0 {
			w.add("ra-param=%s,mtu:%d,60", n.Device, n.MTU)
		}
	}
}

// hosts are the names: the host's own, and each guest's with all it has on the network.
func (d *dnsSetup) hosts() string {
	var w lines
	for _, p := range []netip.Prefix{d.net.IPv4, d.net.IPv6} {
		if p.IsValid() {
			w.add("%s host.%s host", p.Addr(), d.net.Domain)
		}
	}
	for _, e := range d.entries {
		name := strings.ToLower(e.Guest)
		for _, p := range e.Addresses {
			w.add("%s %s.%s %s", p.Addr(), name, d.net.Domain, name)
		}
	}
	return w.String()
}

// dhcpHosts are the reservations. An interface that has several addresses of a family gets
// the first by DHCP; all are on it from the start.
func (d *dnsSetup) dhcpHosts() string {
	var w lines
	for _, e := range d.entries {
		if e.MAC == "" {
			continue
		}
		line := e.MAC
		for _, four := range []bool{true, false} {
			for _, p := range e.Addresses {
				if p.Addr().Is4() != four {
					continue
				}
				if four {
					line += "," + p.Addr().String()
				} else {
					line += ",[" + p.Addr().String() + "]"
				}
				break
			}
		}
		if isLabel(e.Guest) {
			line += "," + strings.ToLower(e.Guest)
		}
		w.add("%s,%s", line, leaseTime)
	}
	return w.String()
}

// isLabel says whether a guest's name is one of a host without a domain, which DHCP has.
func isLabel(name string) bool {
	return !strings.ContainsAny(name, "._") && !strings.HasSuffix(name, "-")
}

// lines is a text that is made line by line. A word with a control character in it would be
// lines of its own: nothing that is checked has one, so that it is left out is never seen.
type lines struct{ b strings.Builder }

func (w *lines) add(format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	if strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return
	}
	w.b.WriteString(line + "\n")
}

func (w *lines) String() string { return w.b.String() }

// mask is the netmask of an IPv4 prefix.
func mask(p netip.Prefix) string {
	var m [4]byte
	for i := range p.Bits() {
		m[i/8] |= 0x80 >> (i % 8)
	}
	return netip.AddrFrom4(m).String()
}

// reverseZones are the zones of the names of a subnet's addresses.
func reverseZones(p netip.Prefix) []string {
	if !p.IsValid() {
		return nil
	}
	if p.Addr().Is6() {
		a := p.Masked().Addr().As16()
		var labels []string
		for i := p.Bits()/4 - 1; i >= 0; i-- {
			labels = append(labels, fmt.Sprintf("%x", a[i/2]>>(4*(1-i%2))&15))
		}
		return []string{strings.Join(labels, ".") + ".ip6.arpa"}
	}
	a := p.Masked().Addr().As4()
	whole := p.Bits() / 8 // bytes that are the same in all of the subnet
	if p.Bits()%8 != 0 && whole < 3 {
		whole++
	}
	if whole > 3 {
		whole = 3
	}
	var zones []string
	count := 1
	if rest := whole*8 - p.Bits(); rest > 0 {
		count = 1 << rest
	}
	if p.Bits() > 24 {
		// A part of a zone: who else is in it is asked for elsewhere.
		return nil
	}
	for i := range count {
		b := a
		b[whole-1] += byte(i)
		zone := "in-addr.arpa"
		for j := range whole {
			zone = fmt.Sprintf("%d.", b[j]) + zone
		}
		zones = append(zones, zone)
	}
	return zones
}

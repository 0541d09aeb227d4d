package guest

import (
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/sysct/sysct/pkg/guest/spec"
)

// publishWarnings are of ports that are published at an address that the host hasn't, where
// a configuration has come to that. It may get it yet, so it is no error.
func publishWarnings(before, after *spec.Guest, host []netip.Addr) []string {
	var all []string
	for i := range after.Publish {
		text := after.Publish[i].Address
		a, err := netip.ParseAddr(text)
		was := func(p spec.Publish) bool { return p.Address == text }
		if err != nil || a.IsUnspecified() || slices.Contains(host, a) || slices.ContainsFunc(before.Publish, was) {
			continue
		}
		all = append(all, fmt.Sprintf("publish[%d].address: the host has no address %s now: nothing comes to the port before it has", i, text))
	}
	return all
}

// hostAddresses are those that the host has; none if they can't be read.
func hostAddresses() []netip.Addr {
	list, _ := net.InterfaceAddrs()
	var out []netip.Addr
	for _, a := range list {
		if n, ok := a.(*net.IPNet); ok {
			if ip, ok := netip.AddrFromSlice(n.IP); ok {
				out = append(out, ip.Unmap())
			}
		}
	}
	return out
}

// warnOfPublished is publishWarnings for this host; it asks for addresses only if one is
// written. before is nil at a start, which warns of all.
func (m *Manager) warnOfPublished(before, after *spec.Guest) {
	if !slices.ContainsFunc(after.Publish, func(p spec.Publish) bool { return p.Address != "" }) {
		return
	}
	host := hostAddresses()
	if len(host) == 0 {
		return
	}
	if before == nil {
		before = &spec.Guest{}
	}
	for _, w := range publishWarnings(before, after, host) {
		m.opt.Warn(w)
	}
}

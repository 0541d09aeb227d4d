package guest

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"

	"github.com/sysct/sysct/pkg/context/proto"
	"github.com/sysct/sysct/pkg/guest/spec"
	"github.com/sysct/sysct/pkg/guest/state"
	"github.com/sysct/sysct/pkg/vnet"
	"github.com/sysct/sysct/pkg/vnet/space"
)

// newMAC makes the address of a new guest's first interface: random, locally administered.
func newMAC() (string, error) {
	mac := make(net.HardwareAddr, 6)
	if _, err := rand.Read(mac); err != nil {
		return "", fmt.Errorf("cannot make MAC address: %w", err)
	}
	mac[0] = 0x02
	return mac.String(), nil
}

// guestMAC is the address of a guest's interface: eth0 has the one of its identity, others
// have ones that are made from it, by their names, so that they stay when another goes. A
// guest from before it had one has them from the rest of its identity.
func guestMAC(id *state.Identity, name string) string {
	if name == "eth0" && len(id.MACs) > 0 {
		return id.MACs[0]
	}
	seed := fmt.Sprintf("%s %d", id.MachineID, id.CreatedAt.UnixNano())
	if len(id.MACs) > 0 {
		seed = id.MACs[0]
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %s", seed, name))
	mac := net.HardwareAddr(sum[:6])
	mac[0] = 0x02
	return mac.String()
}

// bridgeGateways are the addresses of a bridge of the host's own that are in the subnets of a
// guest's.
func bridgeGateways(bridge string, own []netip.Prefix) []netip.Addr {
	l, err := netlink.LinkByName(bridge)
	if err != nil {
		return nil // its start says so
	}
	list, err := netlink.AddrList(l, netlink.FAMILY_ALL)
	if err != nil {
		return nil
	}
	var found []netip.Addr
	for _, a := range list {
		addr, ok := netip.AddrFromSlice(a.IP)
		if !ok {
			continue
		}
		addr = addr.Unmap()
		known := slices.ContainsFunc(found, func(f netip.Addr) bool { return f.Is4() == addr.Is4() })
		if !known && slices.ContainsFunc(own, func(p netip.Prefix) bool { return p.Masked().Contains(addr) }) {
			found = append(found, addr)
		}
	}
	return found
}

// routedParent is the device whose neighbours are answered for a routed guest: that of the
// host's default route, if the configuration names none.
func routedParent(named string) string {
	if named != "" {
		return named
	}
	routes, err := netlink.RouteList(nil, netlink.FAMILY_V4)
	if err != nil {
		return ""
	}
	for _, r := range routes {
		if r.Dst != nil && r.Dst.IP.IsUnspecified() || r.Dst == nil {
			if l, err := netlink.LinkByIndex(r.LinkIndex); err == nil {
				return l.Attrs().Name
			}
		}
	}
	return ""
}

func routedGateways(own []netip.Prefix) (gateways []netip.Addr) {
	if slices.ContainsFunc(own, func(p netip.Prefix) bool { return p.Addr().Is4() }) {
		gateways = append(gateways, vnet.RoutedGateway4())
	}
	if slices.ContainsFunc(own, func(p netip.Prefix) bool { return p.Addr().Is6() }) {
		gateways = append(gateways, vnet.RoutedGateway6())
	}
	return gateways
}

// gatewaysOf are those of an interface: by "auto" only the first that has any.
func gatewaysOf(n *spec.Net, auto []netip.Addr, first bool) ([]netip.Addr, error) {
	switch n.Gateway {
	case "none":
		return nil, nil
	case "", "auto":
		if !first || !n.IsUp() {
			return nil, nil
		}
		return auto, nil
	}
	var list []netip.Addr
	for _, word := range strings.Fields(n.Gateway) {
		a, err := netip.ParseAddr(word)
		if err != nil {
			return nil, err
		}
		list = append(list, a)
	}
	return list, nil
}

// othersResolv is the resolv.conf of a guest that has somebody else's network: the host's own
// servers, or what the other guest has.
func (m *Manager) othersResolv(ctx context.Context, net *space.Plan, cfg *spec.Guest) string {
	if net.Private || !cfg.DNS.Write || len(cfg.DNS.Servers) > 0 {
		return resolvConf(nil, cfg)
	}
	if net.Share != "" {
		if other, err := m.runningPlan(ctx, net.Share); err == nil {
			return other.Context.Resolv
		}
		return ""
	}
	return hostResolv(cfg, true)
}

// hostResolv is the host's own resolv.conf for a guest. A server on the host's loopback is
// only one to a guest with the host's network; without any other there is nothing to write.
func hostResolv(cfg *spec.Guest, loopback bool) string {
	text, err := os.ReadFile("/etc/resolv.conf")
	if err != nil || !cfg.DNS.Write {
		return ""
	}
	lines, servers := "", 0
	for line := range strings.Lines(string(text)) {
		w := strings.Fields(line)
		if len(w) < 2 || !slices.Contains([]string{"nameserver", "search", "domain", "options"}, w[0]) {
			continue
		}
		if w[0] == "nameserver" {
			if a, err := netip.ParseAddr(w[1]); err != nil || a.IsLoopback() && !loopback {
				continue
			}
			servers++
		}
		lines += strings.Join(w, " ") + "\n"
	}
	if servers == 0 {
		return ""
	}
	return proto.ResolvMark + lines
}

// resolvConf is the text of a guest's /etc/resolv.conf; "": it isn't written. Without a
// server of the guest's networks there is nothing to say but what the configuration does.
func resolvConf(s *vnet.Setup, cfg *spec.Guest) string {
	servers, search := slices.Clone(cfg.DNS.Servers), slices.Clone(cfg.DNS.Search)
	if s != nil {
		for _, n := range s.Networks {
			if !n.DNS {
				continue
			}
			if len(cfg.DNS.Search) == 0 && n.Domain != "" && !slices.Contains(search, n.Domain) {
				search = append(search, n.Domain)
			}
			if len(cfg.DNS.Servers) > 0 {
				continue
			}
			for _, p := range []netip.Prefix{n.IPv4, n.IPv6} {
				if p.IsValid() {
					servers = append(servers, p.Addr().String())
				}
			}
		}
	}
	if !cfg.DNS.Write || len(servers) == 0 {
		return ""
	}
	text := proto.ResolvMark
	for _, server := range servers[:min(3, len(servers))] { // more are read by nobody, see resolv.conf(5)
		text += "nameserver " + server + "\n"
	}
	if len(search) > 0 {
		text += "search " + strings.Join(search, " ") + "\n"
	}
	return text
}

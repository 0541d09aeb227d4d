package networks

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// route is one of the host's.
type route struct {
	to   netip.Prefix
	link int // 0: none
}

func (r route) String() string { return fmt.Sprintf("%s (%s)", r.to.Masked(), linkName(r.link)) }

// hostRoutes are the routes of the host in all tables, without the default ones and those
// to multicast and link-local addresses.
func hostRoutes() ([]route, error) {
	var all []route
	for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		list, err := retried(func() ([]netlink.Route, error) {
			return netlink.RouteListFiltered(family, &netlink.Route{Table: unix.RT_TABLE_UNSPEC}, netlink.RT_FILTER_TABLE)
		})
		if err != nil {
			return nil, fmt.Errorf("cannot list the host's routes: %w", err)
		}
		for i := range list {
			if p, ok := destination(&list[i]); ok {
				all = append(all, route{to: p, link: list[i].LinkIndex})
			}
		}
	}
	return all, nil
}

// destination is where a route leads, unless that is everywhere or one link.
func destination(r *netlink.Route) (netip.Prefix, bool) {
	if r.Dst == nil {
		return netip.Prefix{}, false
	}
	addr, ok := netip.AddrFromSlice(r.Dst.IP)
	bits, _ := r.Dst.Mask.Size()
	addr = addr.Unmap()
	if !ok || bits == 0 || addr.IsMulticast() || addr.IsLinkLocalUnicast() || addr.IsLoopback() {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(addr, bits), true
}

// linkName is for messages.
func linkName(index int) string {
	if link, err := netlink.LinkByIndex(index); err == nil {
		return link.Attrs().Name
	}
	return "no device"
}

func prefixes(routes []route) []netip.Prefix {
	var list []netip.Prefix
	for _, r := range routes {
		list = append(list, r.to)
	}
	return list
}

// nameServers are the addresses that the host asks: behind a default route no other route
// need lead to them, and a network in their place would take them from the host.
func nameServers() []netip.Prefix {
	text, err := os.ReadFile("/etc/resolv.conf")
	if err != nil {
		return nil
	}
	var list []netip.Prefix
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		if len(words) < 2 || words[0] != "nameserver" {
			continue
		}
		if addr, err := netip.ParseAddr(words[1]); err == nil {
			list = append(list, netip.PrefixFrom(addr.WithZone(""), addr.BitLen()))
		}
	}
	return list
}

// retried lists again while somebody changes what is listed.
func retried[T any](list func() (T, error)) (T, error) {
	for tries := 0; ; tries++ {
		v, err := list()
		if !errors.Is(err, netlink.ErrDumpInterrupted) && !errors.Is(err, unix.EINTR) || tries == 20 {
			return v, err
		}
	}
}

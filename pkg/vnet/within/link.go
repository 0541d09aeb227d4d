package within

import (
	"bytes"
	"encoding/binary"
	"net"

	"golang.org/x/sys/unix"
)

// Interface is one of a namespace, but for the loopback one.
type Interface struct {
	Index int
	Name  string // any bytes but white space, / and :
	MAC   string // "" if it has none
	MTU   int
	Up    bool
	// Outer is the index of what the interface leads to in the reader's own namespace: the
	// other end of a veth, the device below a macvlan; 0: nothing.
	Outer    int
	Kind     string // as veth; "" for what no program has made
	Receive  Count
	Transmit Count

	outerNS int32 // of Outer, as the namespace numbers it; none: -1
	outer   int
}

// Given says whether the interface is one that the namespace has from outside, and not one
// that was made in it.
func (i *Interface) Given() bool { return i.Outer != 0 || i.Kind == "" }

// Count is what went through an interface in one direction.
type Count struct{ Bytes, Packets, Errors, Drops uint64 }

// skipStats is RTEXT_FILTER_SKIP_STATS of linux/rtnetlink.h: without the counters of IPv6,
// which the kernel adds up over all CPUs for each.
const skipStats = 1 << 3

// links reads the interfaces.
func (s *socket) links() (list []Interface, err error) {
	request := append(make([]byte, unix.SizeofIfInfomsg), attribute(unix.IFLA_EXT_MASK, skipStats)...)
	err = s.dump(unix.RTM_GETLINK, request, func(body []byte) {
		if i, ok := parseLink(body); ok {
			list = append(list, i)
		}
	})
	return list, err
}

// parseLink reads an RTM_NEWLINK.
func parseLink(body []byte) (i Interface, ok bool) {
	if len(body) < unix.SizeofIfInfomsg {
		return i, false
	}
	flags := binary.NativeEndian.Uint32(body[8:])
	i = Interface{Index: int(int32(binary.NativeEndian.Uint32(body[4:]))), Up: flags&unix.IFF_UP != 0, outerNS: -1}
	for kind, value := range attributes(body[unix.SizeofIfInfomsg:]) {
		switch {
		case kind == unix.IFLA_IFNAME:
			i.Name = string(bytes.TrimRight(value, "\x00"))
		case kind == unix.IFLA_ADDRESS && len(value) == 6:
			i.MAC = net.HardwareAddr(value).String()
		case kind == unix.IFLA_MTU && len(value) == 4:
			i.MTU = int(binary.NativeEndian.Uint32(value))
		case kind == unix.IFLA_LINK && len(value) == 4:
			i.outer = int(int32(binary.NativeEndian.Uint32(value)))
		case kind == unix.IFLA_LINK_NETNSID && len(value) == 4:
			i.outerNS = int32(binary.NativeEndian.Uint32(value))
		case kind == unix.IFLA_LINKINFO:
			i.Kind = parseKind(value)
		case kind == unix.IFLA_STATS64:
			i.Receive, i.Transmit = parseStats(value)
		}
	}
	return i, flags&unix.IFF_LOOPBACK == 0
}

// parseKind reads what kind of device it is. Source: linux/if_link.h, IFLA_INFO_KIND.
func parseKind(info []byte) string {
	for kind, value := range attributes(info) {
		if kind == unix.IFLA_INFO_KIND {
			return string(bytes.TrimRight(value, "\x00"))
		}
	}
	return "unknown"
}

// parseStats reads struct rtnl_link_stats64, which grows at its end.
func parseStats(b []byte) (receive, transmit Count) {
	if len(b) < 64 {
		return receive, transmit
	}
	n := func(i int) uint64 { return binary.NativeEndian.Uint64(b[8*i:]) }
	return Count{n(2), n(0), n(4), n(6)}, Count{n(3), n(1), n(5), n(7)}
}

// outside finds the interfaces' other ends. Namespaces are numbered in each by itself; the
// dump has given the reader's own a number, if an interface leads there.
func (s *socket) outside(list []Interface, own int) error {
	request := append(make([]byte, 4), attribute(unix.NETNSA_FD, uint32(own))...) // struct rtgenmsg, aligned
	if err := s.request(unix.RTM_GETNSID, 0, request); err != nil {
		return err
	}
	text, err := s.receive()
	if err != nil {
		return err
	}
	number := int32(-1)
	for kind, body := range messages(text) {
		if kind == unix.NLMSG_ERROR {
			return errorOf(body)
		}
		for kind, value := range attributes(body[min(4, len(body)):]) {
			if kind == unix.NETNSA_NSID && len(value) == 4 {
				number = int32(binary.NativeEndian.Uint32(value))
			}
		}
	}
	for i := range list {
		if number >= 0 && list[i].outerNS == number {
			list[i].Outer = list[i].outer
		}
	}
	return nil
}

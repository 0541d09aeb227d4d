package nft

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
)

// check refuses all that isn't a name, or a value that stands for itself: the text of
// a table is a program for nft, and nothing of a user's may become one of its words.
func check(tag string, c Content) error {
	if tag != "" && !madeOf(tag, 32, "0123456789abcdef") {
		return fmt.Errorf("cannot write nft table: %q is not an instance's tag", tag)
	}
	for _, n := range c.Networks {
		if !madeOf(n.Device, 15, nameChars) {
			return fmt.Errorf("cannot write nft table: %q is not the name of a bridge", n.Device)
		}
		if _, err := net.ParseMAC(n.MAC); n.MAC != "" && err != nil {
			return fmt.Errorf("cannot write nft table: bridge %s: %w", n.Device, err)
		}
		if n.IPv4.IsValid() && !n.IPv4.Addr().Is4() || n.IPv6.IsValid() && !n.IPv6.Addr().Is6() {
			return fmt.Errorf("cannot write nft table: bridge %s: %s, %s are not addresses of their families", n.Device, n.IPv4, n.IPv6)
		}
	}
	for _, p := range c.Published {
		if err := p.check(); err != nil {
			return fmt.Errorf("cannot write nft table: %w", err)
		}
	}
	for _, g := range c.Isolated {
		for _, a := range g.Addresses {
			if !plain(a) {
				return fmt.Errorf("cannot write nft table: isolated guest %q: %q is not an address", g.Guest, a)
			}
		}
	}
	return nil
}

const nameChars = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."

func madeOf(s string, most int, chars string) bool {
	return s != "" && len(s) <= most && !strings.ContainsFunc(s, func(r rune) bool { return !strings.ContainsRune(chars, r) })
}

func (p Published) check() error {
	switch {
	case !madeOf(p.Guest, 64, nameChars):
		return fmt.Errorf("%q is not a guest's name", p.Guest)
	case p.Proto != "tcp" && p.Proto != "udp":
		return fmt.Errorf("guest %s: published protocol %q is neither tcp nor udp", p.Guest, p.Proto)
	case p.Port == 0 || p.To == 0:
		return fmt.Errorf("guest %s: a published port is 0", p.Guest)
	case p.Address.IsValid() && !plain(p.Address):
		return fmt.Errorf("guest %s: %q is not an address", p.Guest, p.Address)
	case p.Guest4.IsValid() && (!p.Guest4.Is4() || !plain(p.Guest4)):
		return fmt.Errorf("guest %s: %q is not an IPv4 address", p.Guest, p.Guest4)
	case p.Guest6.IsValid() && (!p.Guest6.Is6() || !plain(p.Guest6)):
		return fmt.Errorf("guest %s: %q is not an IPv6 address", p.Guest, p.Guest6)
	}
	return nil
}

// plain is an address whose text is all its own: a zone is somebody's word.
func plain(a netip.Addr) bool { return a.IsValid() && a.Zone() == "" && !a.Is4In6() }

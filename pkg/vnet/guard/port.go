package guard

import (
	"errors"
	"fmt"
	"net"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Port is how a bridge treats one of its ports, the host's side of a guest's veth.
type Port struct {
	// MAC is the only hardware address that the bridge looks for behind the port, and it looks
	// for it nowhere else; nil: it learns the addresses from what comes in.
	MAC net.HardwareAddr
	// Isolate keeps the port apart from all others that are isolated. They reach those that
	// aren't, and the bridge itself: see SetApart.
	Isolate bool
}

// SetPort sets the port that link is on its bridge. A bridge that learns believes every frame's
// source, wherever it came in: without learning, and with an entry that sticks, one guest
// can't draw another's frames to itself, even if it has no filter. Frames whose receiver the
// bridge doesn't know aren't flooded to a port whose receiver it does. Errors have the errno of
// rtnetlink(7): EINVAL or EOPNOTSUPP where link is no port.
func SetPort(h *netlink.Handle, link int, p Port) error {
	l := &netlink.Device{LinkAttrs: netlink.LinkAttrs{Index: link}}
	fixed := p.MAC != nil
	if fixed { // first, so that at no moment the bridge neither knows nor learns
		if err := h.NeighSet(forwarding(link, p.MAC)); err != nil {
			return fmt.Errorf("cannot set forwarding entry of link %d: %w", link, err)
		}
	}
	for _, set := range []struct {
		what string
		to   func(netlink.Link, bool) error
		on   bool
	}{
		{"isolation", h.LinkSetIsolated, p.Isolate},
		{"learning", h.LinkSetLearning, !fixed},
		{"flooding", h.LinkSetFlood, !fixed},
	} {
		if err := set.to(l, set.on); err != nil {
			return fmt.Errorf("cannot set %s of link %d on its bridge: %w", set.what, link, err)
		}
	}
	return nil
}

// FreePort takes back the entry of a port that had a MAC and is to learn again.
func FreePort(h *netlink.Handle, link int, mac net.HardwareAddr) error {
	if err := h.NeighDel(forwarding(link, mac)); err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("cannot delete forwarding entry of link %d: %w", link, err)
	}
	return nil
}

// forwarding is the entry in the bridge's table that no frame changes: static (NUD_NOARP), and sticky,
// as a static one is still moved to where its address is seen.
func forwarding(link int, mac net.HardwareAddr) *netlink.Neigh {
	return &netlink.Neigh{LinkIndex: link, Family: unix.AF_BRIDGE, HardwareAddr: mac,
		State: netlink.NUD_NOARP, Flags: netlink.NTF_MASTER | netlink.NTF_STICKY}
}

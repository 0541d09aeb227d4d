package link

import (
	"fmt"
	"net"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/vnet"
)

// Make makes all interfaces of the setup. On an error none of them is left.
func (s *Session) Make() error {
	for i := range s.setup.Interfaces {
		if err := s.add(&s.setup.Interfaces[i]); err != nil {
			for j := i; j >= 0; j-- {
				s.remove(&s.setup.Interfaces[j])
			}
			return err
		}
	}
	return nil
}

// step is one of an interface's making. What a failed one has left goes with the link.
type step struct {
	name string
	do   func(*Session, *vnet.Interface) error
}

func steps(kind string) []step {
	configure := []step{{"set up in the guest", (*Session).configure}}
	switch kind {
	case vnet.TypeBridge:
		return append([]step{{"make veth", (*Session).veth}, {"quiet the host's side", (*Session).quiet}, {"put on the bridge", (*Session).port},
			{"filter", (*Session).filter}, {"limit", (*Session).limit}, {"bring up the host's side", (*Session).hostUp}}, configure...)
	case vnet.TypeRouted:
		return append([]step{{"make veth", (*Session).veth}, {"quiet the host's side", (*Session).quiet}, {"filter", (*Session).filter}, {"limit", (*Session).limit},
			{"bring up the host's side", (*Session).hostUp}, {"route", (*Session).route}}, configure...)
	case vnet.TypePhys:
		return append([]step{{"move", (*Session).move}}, configure...)
	}
	return append([]step{{"make " + kind, (*Session).derived}}, configure...)
}

func (s *Session) add(i *vnet.Interface) error {
	for _, st := range steps(i.Type) {
		if err := st.do(s, i); err != nil {
			return fmt.Errorf("cannot make interface %s: %s: %w", i.Name, st.name, err)
		}
	}
	return nil
}

// veth makes the pair, the guest's end in its namespace. A pair that a boot before has left
// is in the way no longer than it takes to delete it.
func (s *Session) veth(i *vnet.Interface) error {
	mac, err := hardware(i.MAC)
	if err != nil {
		return err
	}
	mtu := i.MTU
	if i.Type == vnet.TypeBridge && mtu == 0 {
		bridge, err := s.bridge(i)
		if err != nil {
			return err
		}
		mtu = bridge.Attrs().MTU
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.MTU = i.Host, mtu
	attrs.HardwareAddr = hostSide(mac)
	pair := &netlink.Veth{LinkAttrs: attrs, PeerName: i.Name, PeerHardwareAddr: mac, PeerNamespace: netlink.NsFd(s.ns), PeerMTU: uint32(mtu)}
	err = s.host.LinkAdd(pair)
	if err == unix.EEXIST {
		if err := s.removeLink(i.Host, s.alias(i), attrs.HardwareAddr); err != nil {
			return err
		}
		err = s.host.LinkAdd(pair)
	}
	if err != nil {
		return err
	}
	return s.host.LinkSetAlias(pair, s.alias(i)) // a new link takes none
}

// hostSide is the address of the host's end: of a bridge's ports the lowest address counts
// for nothing, since the bridge has its own, and the host's end never speaks.
func hostSide(mac net.HardwareAddr) net.HardwareAddr {
	if mac == nil {
		return nil
	}
	own := append(net.HardwareAddr{}, mac...)
	own[0] = 0xfe
	return own
}

func hardware(text string) (net.HardwareAddr, error) {
	if text == "" {
		return nil, nil
	}
	return net.ParseMAC(text)
}

// bridge is the device that the interface is a port of.
func (s *Session) bridge(i *vnet.Interface) (*netlink.Bridge, error) {
	l, err := s.host.LinkByName(i.Bridge)
	if err != nil {
		return nil, noDevice(i.Bridge, err)
	}
	bridge, ok := l.(*netlink.Bridge)
	if !ok {
		return nil, fmt.Errorf("%s is no bridge but a %s", i.Bridge, l.Type())
	}
	return bridge, nil
}

// port puts the host's end on the bridge.
func (s *Session) port(i *vnet.Interface) error {
	bridge, err := s.bridge(i)
	if err != nil {
		return err
	}
	host, err := s.host.LinkByName(i.Host)
	if err != nil {
		return err
	}
	return s.host.LinkSetMasterByIndex(host, bridge.Index)
}

// noDevice is the error for a device of the host that a configuration names.
func noDevice(name string, err error) error {
	if missing(err) {
		return fmt.Errorf("the host has no device %s (ip -br link shows which it has)", name)
	}
	return fmt.Errorf("device %s: %w", name, err)
}

func (s *Session) hostUp(i *vnet.Interface) error {
	host, err := s.host.LinkByName(i.Host)
	if err != nil {
		return err
	}
	return s.host.LinkSetUp(host)
}

// derived makes a device on top of one of the host's, in the guest's namespace.
func (s *Session) derived(i *vnet.Interface) error {
	parent, err := s.host.LinkByName(i.Parent)
	if err != nil {
		return noDevice(i.Parent, err)
	}
	mac, err := hardware(i.MAC)
	if err != nil {
		return err
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.ParentIndex, attrs.MTU, attrs.HardwareAddr = i.Name, parent.Attrs().Index, i.MTU, mac
	attrs.Namespace = netlink.NsFd(s.ns)
	l, err := device(i, attrs)
	if err != nil {
		return err
	}
	if err := s.host.LinkAdd(l); err != nil {
		return fmt.Errorf("on %s: %w", i.Parent, err)
	}
	return nil
}

func device(i *vnet.Interface, attrs netlink.LinkAttrs) (netlink.Link, error) {
	switch i.Type {
	case vnet.TypeMacvlan:
		mode, ok := map[string]netlink.MacvlanMode{"": netlink.MACVLAN_MODE_BRIDGE, "bridge": netlink.MACVLAN_MODE_BRIDGE,
			"private": netlink.MACVLAN_MODE_PRIVATE, "vepa": netlink.MACVLAN_MODE_VEPA, "passthru": netlink.MACVLAN_MODE_PASSTHRU}[i.Mode]
		if !ok {
			return nil, fmt.Errorf("unknown mode %q", i.Mode)
		}
		return &netlink.Macvlan{LinkAttrs: attrs, Mode: mode}, nil
	case vnet.TypeIpvlan:
		mode, ok := map[string]netlink.IPVlanMode{"": netlink.IPVLAN_MODE_L2, "l2": netlink.IPVLAN_MODE_L2, "l3": netlink.IPVLAN_MODE_L3, "l3s": netlink.IPVLAN_MODE_L3S}[i.Mode]
		if !ok {
			return nil, fmt.Errorf("unknown mode %q", i.Mode)
		}
		attrs.HardwareAddr = nil // all of a parent's have its address
		return &netlink.IPVlan{LinkAttrs: attrs, Mode: mode}, nil
	case vnet.TypeVLAN:
		return &netlink.Vlan{LinkAttrs: attrs, VlanId: i.VLAN, VlanProtocol: netlink.VLAN_PROTOCOL_8021Q}, nil
	}
	return nil, fmt.Errorf("unknown type %q", i.Type)
}

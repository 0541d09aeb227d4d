package vnet

import "net/netip"

// The types of an interface.
const (
	TypeNone    = "none"    // a private namespace with loopback up
	TypeHost    = "host"    // the host's own namespace
	TypeBridge  = "bridge"  // a veth on a network's bridge
	TypeRouted  = "routed"  // a veth that the host routes to, with proxy ARP and NDP
	TypeMacvlan = "macvlan" // a macvlan on a device of the host
	TypeIpvlan  = "ipvlan"  // an ipvlan on a device of the host
	TypeVLAN    = "vlan"    // a VLAN of a device of the host
	TypePhys    = "phys"    // a device of the host itself, while the guest runs
)

// Setup is all that is done on the host and in a guest's network namespace for
// its network: names are chosen, addresses allocated. It is what sysct-net works
// by, and what the guest runs with.
type Setup struct {
	Tag        string      `json:"tag"`   // of the instance, "" for the default one
	Guest      string      `json:"guest"` // its name
	Networks   []Network   `json:"networks,omitempty"`
	Interfaces []Interface `json:"interfaces,omitempty"`
	Publish    []Publish   `json:"publish,omitempty"`
	StateDir   string      `json:"state_dir"` // of the instance, and the others
	RunDir     string      `json:"run_dir"`
	NetsDir    string      `json:"nets_dir"`        // of the networks' definitions
	HostDir    string      `json:"host_dir"`        // of what all instances of the host share
	Units      bool        `json:"units,omitempty"` // the host's systemd keeps what serves networks
}

// Network is a network that guests' interfaces are on, as far as it is resolved.
type Network struct {
	Name    string       `json:"name"`    // of the object
	Device  string       `json:"device"`  // its bridge on the host
	IPv4    netip.Prefix `json:"ipv4"`    // the bridge's own address with the subnet's length; zero: none
	IPv6    netip.Prefix `json:"ipv6"`    // the same
	MTU     int          `json:"mtu"`     // 0: the kernel's default
	NAT     bool         `json:"nat"`     // what leaves it by other devices is masqueraded
	DHCP    bool         `json:"dhcp"`    // addresses by DHCP, DHCPv6 and router advertisements
	DNS     bool         `json:"dns"`     // names of guests, and the rest by the host's resolvers
	Domain  string       `json:"domain"`  // of the guests' names, as "sysct"
	Isolate bool         `json:"isolate"` // its guests reach each other in no way
	MAC     string       `json:"mac"`     // of the bridge, so that it doesn't change with its ports
}

// Interface is one of a guest's, with everything chosen.
type Interface struct {
	Name      string         `json:"name"`              // in the guest: eth0
	Type      string         `json:"type"`              // one of the types but TypeNone and TypeHost
	Network   string         `json:"network,omitempty"` // of TypeBridge: Network.Name
	Bridge    string         `json:"bridge,omitempty"`  // of TypeBridge: the device; a bridge of the host's own has no Network
	Parent    string         `json:"parent,omitempty"`  // the host's device of macvlan, ipvlan, vlan, phys
	Mode      string         `json:"mode,omitempty"`    // of macvlan (bridge, private, vepa, passthru) and ipvlan (l2, l3, l3s)
	VLAN      int            `json:"vlan,omitempty"`    // id of TypeVLAN
	Host      string         `json:"host,omitempty"`    // the host's side of a veth
	MAC       string         `json:"mac,omitempty"`     // in the guest; "": the device's own
	MTU       int            `json:"mtu,omitempty"`     // 0: that of the bridge or parent
	Down      bool           `json:"down,omitempty"`    // the link is made, and left down
	Addresses []netip.Prefix `json:"addresses,omitempty"`
	Gateways  []netip.Addr   `json:"gateways,omitempty"` // of the default routes, one a family at most
	Filter    bool           `json:"filter,omitempty"`   // spoofed frames are dropped
	Isolate   bool           `json:"isolate,omitempty"`  // no other guest of the bridge is reached
	Ingress   uint64         `json:"ingress,omitempty"`  // most bits a second to the guest; 0: no limit
	Egress    uint64         `json:"egress,omitempty"`   // and from it
}

// Publish is a port of the host that leads to one of a guest's.
type Publish struct {
	Proto    string     `json:"proto"`   // tcp, udp
	Address  netip.Addr `json:"address"` // of the host; zero: all of its addresses
	Port     uint16     `json:"port"`
	Guest4   netip.Addr `json:"guest4"` // the guest's addresses; zero: it has none of the family
	Guest6   netip.Addr `json:"guest6"`
	To       uint16     `json:"to"`
	Loopback bool       `json:"loopback,omitempty"` // 127.0.0.1 and ::1 too, by a relay
}

package spec

// Net is an entry of [[net]].
type Net struct {
	// The kind of interface: "bridge" is a veth on a bridge, "routed" a veth that the host
	// routes to, answering for the guest's addresses on its own networks; "macvlan",
	// "ipvlan" and "vlan" are devices on top of one of the host's, "phys" is one of the
	// host's itself, which is away from the host while the guest runs. Two are of no
	// interface and stand alone: "none" is a network of the guest's own with nothing but the
	// loopback interface, "host" the host's, with all its addresses and ports.
	// Default: "bridge"
	// Change: live
	// Example: "bridge"
	Type string `toml:"type"`

	// The interface's name in the guest.
	// Default: eth0, eth1 and so on, in the order of the entries
	// Change: live
	// Example: "lan0"
	Name string `toml:"name"`

	// The network that a bridge interface is on: sysctbr0, which is always there, or one that
	// net create has made.
	// Default: "sysctbr0", unless there is a parent
	// Change: live
	// Example: "dmz"
	Network string `toml:"network"`

	// The device of the host that macvlan, ipvlan and vlan are on top of, and that phys
	// takes. For bridge, a bridge that the host has by its own means, instead of a network;
	// for routed, the device whose neighbours are answered (default: that of the host's
	// default route).
	// Default: none
	// Change: live
	// Example: "enp3s0"
	Parent string `toml:"parent"`

	// How guests on the same parent reach each other: for macvlan "bridge", "private",
	// "vepa" or "passthru", for ipvlan "l2", "l3" or "l3s".
	// Default: "bridge" or "l2"
	// Change: live
	// Example: "private"
	Mode string `toml:"mode"`

	// The VLAN's number, for the type vlan.
	// Unit: a number, 1 to 4094
	// Default: none
	// Change: live
	// Example: 100
	VLAN *int `toml:"vlan"`

	// The interface's hardware address. It is the guest's own for good, and a clone gets
	// another.
	// Default: one made from the guest's identity
	// Change: live
	// Example: "02:5c:00:00:00:01"
	MAC string `toml:"mac"`

	// The largest packet.
	// Unit: bytes, 68 to 65535; 1280 at least for IPv6
	// Default: that of the bridge or parent
	// Change: live
	// Example: 1400
	MTU *int `toml:"mtu"`

	// Whether the interface is up when the guest starts; a change sets it up or down.
	// Default: true
	// Change: live
	// Example: false
	Up *bool `toml:"up"`

	// IPv4 addresses with the length of their subnet's prefix. On a network of sysct's, an
	// address without a length is one of that network's.
	// Default: one that the network hands out; none for other types
	// Change: live
	// Example: ["192.168.1.10/24"]
	IPv4 []string `toml:"ipv4"`

	// IPv6 addresses, in the same way.
	// Default: one that the network hands out; none for other types
	// Change: live
	// Example: ["fd12:3456:789a::10/64"]
	IPv6 []string `toml:"ipv6"`

	// Where the default routes lead: "auto" is the network's own address (for other bridges
	// that of the host's bridge, for routed the host), "none" makes no default route, or one
	// address a family, with a blank between them. Only the first interface with a gateway
	// has default routes by "auto".
	// Default: "auto"
	// Change: live
	// Example: "192.168.1.1"
	Gateway string `toml:"gateway"`

	// Whether frames are dropped by which the guest would pass for somebody else: foreign
	// hardware and IP addresses, ARP and neighbour advertisements for them, answers of a
	// DHCP server, router advertisements. Only bridge and routed have it. A guest that
	// bridges or routes for others needs it off.
	// Default: true
	// Change: live
	// Example: false
	Filter *bool `toml:"filter"`

	// Whether the guest is kept apart from the other guests on its bridge: it reaches the
	// host and what lies behind it.
	// Default: false
	// Change: live
	Isolate bool `toml:"isolate"`

	// How fast the interface is at most, for bridge and routed. Units are powers of 1000.
	Limits NetLimits `toml:"limits"`
}

// NetLimits is the table [net.limits].
type NetLimits struct {
	// What the guest receives at most.
	// Unit: bits a second, or a whole number with kbit, mbit or gbit; 8kbit at least
	// Default: no limit
	// Change: live
	// Example: "100mbit"
	Ingress *Rate `toml:"ingress"`

	// What the guest sends at most.
	// Unit: bits a second, or a whole number with kbit, mbit or gbit; 8kbit at least
	// Default: no limit
	// Change: live
	// Example: "20mbit"
	Egress *Rate `toml:"egress"`
}

// DNS is the table [dns].
type DNS struct {
	// The name servers that the guest asks.
	// Default: those of its networks; without one, the host's own
	// Change: restart
	// Example: ["192.0.2.53", "2001:db8::53"]
	Servers []string `toml:"servers"`

	// The domains that short names are looked up in.
	// Default: those of its networks
	// Change: restart
	// Example: ["example.org"]
	Search []string `toml:"search"`

	// Whether the guest's /etc/resolv.conf is written at its start: where there is none, or
	// it is one that was written so. One that is the guest's own is never touched.
	// Default: true
	// Change: restart
	Write bool `toml:"write"`
}

// Share is the table [share].
type Share struct {
	// The guest whose network this one has too, with all its interfaces, addresses and
	// ports, instead of one of its own. That guest has to run when this one starts.
	// Default: none
	// Change: restart
	// Example: "web"
	Net string `toml:"net"`
}

// Publish is an entry of [[publish]]: a port of the host that leads to one of the guest's.
type Publish struct {
	// The port of the host.
	// Unit: a number, 1 to 65535
	// Default: none, an entry must have it
	// Change: live
	// Example: 8080
	Port *int `toml:"port"`

	// The guest's port.
	// Unit: a number, 1 to 65535
	// Default: the same
	// Change: live
	// Example: 80
	To *int `toml:"to"`

	// The protocol: "tcp" or "udp".
	// Default: "tcp"
	// Change: live
	// Example: "udp"
	Proto string `toml:"proto"`

	// The address of the host that it is published at.
	// Default: all of the host's, IPv4 and IPv6
	// Change: live
	// Example: "192.0.2.1"
	Address string `toml:"address"`

	// Whether 127.0.0.1 and ::1 lead there too, for programs on the host. A process passes on
	// what comes in, so the guest sees the host's address on its network as the source.
	// Default: false
	// Change: live
	Loopback bool `toml:"loopback"`
}

package spec

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// networkVersion is the schema that this program reads and writes.
const networkVersion = 1

// DefaultNetwork is the network that is always there, and what Host.Network is if
// nothing else is said.
const DefaultNetwork = "sysctbr0"

// Subnets that aren't written: one is chosen, or there is none of the family.
const (
	SubnetAuto = "auto"
	SubnetNone = "none"
)

// Network is the content of NAME.toml in the directory of networks.
type Network struct {
	// The version of this file's schema. A file of a newer one is refused.
	// Default: 1
	// Change: live
	Version int `toml:"version"`

	// The kind of network: "bridge" is a bridge of its own on the host.
	// Default: "bridge"
	// Change: live
	Type string `toml:"type"`

	// The host's IPv4 address on the network, with the length of the subnet's prefix, which
	// is from 8 to 30. "auto" takes a subnet of 256 addresses that no route of the host
	// leads to and no other network has; it is kept. "none" is a network without IPv4.
	// Default: "auto"
	// Change: live
	// Example: "10.1.2.1/24"
	IPv4 string `toml:"ipv4"`

	// The host's IPv6 address on the network, with the length of the subnet's prefix, which
	// is 64. "auto" takes a subnet of unique local addresses, which is kept. "none" is a
	// network without IPv6.
	// Default: "auto"
	// Change: live
	// Example: "fd12:3456:789a::1/64"
	IPv6 string `toml:"ipv6"`

	// Whether what guests send beyond the network has the host's address as its source:
	// without it, others have to know of a route to the subnet.
	// Default: true
	// Change: live
	NAT bool `toml:"nat"`

	// Whether guests are told their addresses by DHCP, DHCPv6 and router advertisements,
	// too. They have them from their start on, whatever this says: it is for guests whose
	// own configuration asks.
	// Default: true
	// Change: live
	DHCP bool `toml:"dhcp"`

	// Whether the host's address on the network is a name server: it knows the guests on
	// the network by name, and asks the host's name servers for all else.
	// Default: true
	// Change: live
	DNS bool `toml:"dns"`

	// The domain of the guests' names.
	// Default: "sysct"
	// Change: live
	Domain string `toml:"domain"`

	// The largest packet.
	// Unit: bytes, 68 to 65535; 1280 at least for IPv6
	// Default: 1500
	// Change: live
	// Example: 1400
	MTU *int `toml:"mtu"`

	// Whether the network's guests are kept apart: each reaches the host and what lies
	// behind it, and no other guest.
	// Default: false
	// Change: live
	Isolate bool `toml:"isolate"`
}

// DefaultNetworkObject is a network whose file says nothing.
func DefaultNetworkObject() *Network {
	return &Network{Version: networkVersion, Type: NetBridge, IPv4: SubnetAuto, IPv6: SubnetAuto, NAT: true, DHCP: true, DNS: true, Domain: "sysct"}
}

// ParseNetwork reads the content of the file called name, as strictly as Parse does.
func ParseNetwork(data []byte, name string) (*Network, error) {
	n := DefaultNetworkObject()
	src := &source{file: name, data: data}
	if err := src.decode(n, NetworkFields(), networkVersion); err != nil {
		return nil, err
	}
	if err := src.check(n); err != nil {
		return nil, err
	}
	return n, nil
}

// LoadNetwork reads the file at path. A missing one is fs.ErrNotExist; one that is a link,
// no regular file, or that others than root can write to is refused, as is what
// ParseNetwork refuses: all *ParseError.
func LoadNetwork(path string) (*Network, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_NOFOLLOW, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err != nil {
		return nil, &ParseError{File: path, Msg: "cannot open: " + cause(err), Err: err}
	}
	defer file.Close()
	data, _, err := readTrusted(file, path)
	if err != nil {
		return nil, err
	}
	return ParseNetwork(data, path)
}

// RenderNetwork writes n as a file with the manual of every key. n must pass Check; then
// ParseNetwork(RenderNetwork(n)) is n.
func RenderNetwork(n *Network) []byte {
	r := newRenderer(NetworkFields(), "live")
	r.comment(
		"A network for guests. A key behind # stands at its default, or is an example. Changes",
		"count when the network is next brought up: sysct net up does it. Unknown keys are",
		"refused: a mistyped one does not go unnoticed.",
	)
	return r.render(n, DefaultNetworkObject())
}

// Check says what is impossible in n, as ParseNetwork does.
func (n *Network) Check() error {
	var first error
	checkAll(n, func(path, format string, args ...any) {
		if first == nil {
			first = errors.New(printable(path + ": " + fmt.Sprintf(format, args...)))
		}
	})
	return first
}

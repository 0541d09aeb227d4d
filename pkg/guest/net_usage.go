package guest

import "net/netip"

// NetWant is what is read of guests' networks.
type NetWant uint8

// What there is.
const (
	NetFigures   NetWant = 1 << iota // what went through the interfaces
	NetAddresses                     // without the interfaces' names, unless NetFigures is wanted, too
	NetLinks                         // what the interfaces lead to on the host; with NetFigures

	NetNothing NetWant = 0
	NetAll             = NetFigures | NetAddresses | NetLinks
)

// NetUsage is what went through a guest's interfaces: those that it has from outside, not
// what it made in itself. Counters begin with each boot.
type NetUsage struct {
	NetCount
	Interfaces []InterfaceUsage `json:"interfaces"`
}

// NetCount is from the guest's side.
type NetCount struct {
	ReceiveBytes    int64 `json:"receive_bytes"`
	ReceivePackets  int64 `json:"receive_packets"`
	ReceiveErrors   int64 `json:"receive_errors"`
	ReceiveDrops    int64 `json:"receive_drops"`
	TransmitBytes   int64 `json:"transmit_bytes"`
	TransmitPackets int64 `json:"transmit_packets"`
	TransmitErrors  int64 `json:"transmit_errors"`
	TransmitDrops   int64 `json:"transmit_drops"`
}

func (c *NetCount) add(o *NetCount) {
	c.ReceiveBytes += o.ReceiveBytes
	c.ReceivePackets += o.ReceivePackets
	c.ReceiveErrors += o.ReceiveErrors
	c.ReceiveDrops += o.ReceiveDrops
	c.TransmitBytes += o.TransmitBytes
	c.TransmitPackets += o.TransmitPackets
	c.TransmitErrors += o.TransmitErrors
	c.TransmitDrops += o.TransmitDrops
}

// InterfaceUsage is one interface. Its name is the guest's choice: one with anything but
// plain text in it is quoted, so that no two are the same.
type InterfaceUsage struct {
	Name string  `json:"name"`
	Link *string `json:"link"` // on the host: the other end of a veth, or the device below; nil: none, or not asked for
	MAC  string  `json:"mac"`
	MTU  int     `json:"mtu"`
	Up   bool    `json:"up"`
	NetCount

	outer int // index of what Link names
}

// Address is one that a guest has. Those of the loopback interface aren't told.
type Address struct {
	Interface    string     `json:"interface"` // empty: its name wasn't asked for
	Family       string     `json:"family"`    // inet, inet6
	Address      netip.Addr `json:"address"`
	PrefixLength int        `json:"prefix_length"`
	Scope        string     `json:"scope"`     // global, site, link
	Tentative    bool       `json:"tentative"` // it isn't sure yet that nobody else has it, or somebody has
}

// Usable says whether others can reach the guest by the address: it is no link's own, and
// nobody else has it.
func (a *Address) Usable() bool { return a.Scope != "link" && !a.Tentative }

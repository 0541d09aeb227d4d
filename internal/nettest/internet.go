package nettest

import (
	"fmt"
	"net/netip"
	"os"
	"testing"
)

// Internet is what lies behind a host's uplink: a router, and behind it servers.
type Internet struct {
	*Namespace
	Uplink       string       // the host's device
	Host4, Host6 netip.Prefix // the host's addresses on it
	Far4, Far6   netip.Addr   // of servers that know no way to guests: the host answers for them
	Name         string       // of Far4 and Far6
	Echo         uint16       // the port of the echo there, tcp and udp
}

// NewInternet makes an internet, and gives the namespace host an uplink to it: addresses
// and default routes. There are an Echo at its addresses and a name server at Far4 and
// Far6, which knows Name and that of each entry of names, and which the host is told to
// ask if it is the test's own.
func NewInternet(t testing.TB, host *Namespace, names map[string]netip.Addr) *Internet {
	t.Helper()
	i := &Internet{
		Namespace: New(t), Uplink: "uplink0",
		Host4: netip.MustParsePrefix("198.51.100.2/24"), Host6: netip.MustParsePrefix("2001:db8:1::2/64"),
		Far4: netip.MustParseAddr("203.0.113.53"), Far6: netip.MustParseAddr("2001:db8:ffff::53"),
		Name: "far.example",
	}
	host.Veth(t, i.Uplink, i.Namespace, "host0")
	i.IP(t, "addr add 198.51.100.1/24 dev host0", "addr add 2001:db8:1::1/64 dev host0 nodad",
		"addr add "+i.Far4.String()+"/32 dev lo", "addr add "+i.Far6.String()+"/128 dev lo nodad")
	host.IP(t, fmt.Sprintf("addr add %s dev %s", i.Host4, i.Uplink), fmt.Sprintf("addr add %s dev %s nodad", i.Host6, i.Uplink),
		"route add default via 198.51.100.1 dev "+i.Uplink, "route add default via 2001:db8:1::1 dev "+i.Uplink)
	i.Echo = i.NewEcho(t, 7)
	known := map[string][]netip.Addr{i.Name: {i.Far4, i.Far6}}
	for name, addr := range names {
		known[name] = append(known[name], addr)
	}
	i.NewNames(t, known)
	if Inside() {
		servers := fmt.Sprintf("nameserver %s\nnameserver %s\n", i.Far4, i.Far6)
		if err := os.WriteFile("/etc/resolv.conf", []byte(servers), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return i
}

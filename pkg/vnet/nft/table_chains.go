package nft

import (
	"net/netip"

	"github.com/sysct/sysct/pkg/vnet"
)

// srcnat writes the masquerading. By the input device and not by the source alone: what
// the host itself sends from a bridge's address is left as it is.
func (w *writer) srcnat(nets []vnet.Network) {
	w.open("chain postrouting")
	w.line("type nat hook postrouting priority srcnat; policy accept;")
	for _, n := range nets {
		// A guest would answer a guest of the same bridge directly, from an address that
		// the asking one knows nothing of; and one that has its default route elsewhere
		// would never answer the host. Other sources keep their address. By the source and
		// not by the input device, which the kernel doesn't tell with bridge-nf-call-iptables.
		for _, p := range []netip.Prefix{n.IPv4, n.IPv6} {
			if p.IsValid() {
				w.line("oifname %q ct status dnat %s saddr %s masquerade", n.Device, word(p.Addr()), p.Masked())
			}
		}
		w.line("oifname %q ct status dnat fib saddr type local masquerade", n.Device)
		if !n.NAT {
			continue
		}
		for _, p := range []netip.Prefix{n.IPv4, n.IPv6} {
			if p.IsValid() {
				w.line("iifname %q oifname != %q %s saddr %s masquerade", n.Device, n.Device, word(p.Addr()), p.Masked())
			}
		}
	}
	w.shut()
}

// word is nft's for an address's family.
func word(a netip.Addr) string {
	if a.Is4() {
		return "ip"
	}
	return "ip6"
}

// guestBridges are devices of guests of any instance: those that this one knows, the
// default instance's first one, and the names that the other instances give.
const guestBridges = `{ "sysctbr0", "sb*" }`

// forward writes what is forwarded between guests. Only new connections to and from what
// is isolated are dropped. The verdicts are by address and by bridge: behind the bridge
// a packet doesn't say which port it came from.
func (w *writer) forward(nets []vnet.Network) {
	w.open("chain guests")
	w.line("ip daddr @isolated4 drop")
	w.line("ip saddr @isolated4 drop")
	w.line("ip6 daddr @isolated6 drop")
	w.line("ip6 saddr @isolated6 drop")
	for _, n := range nets {
		if n.Isolate {
			w.line("iifname %q drop", n.Device)
			w.line("oifname %q drop", n.Device)
			continue
		}
		w.sameBridge(n)
	}
	w.shut()
	w.open("chain forward")
	w.line("type filter hook forward priority filter; policy accept;")
	w.line("ct state established,related accept")
	w.line("ct status dnat accept")
	w.line("iifname @bridges oifname @bridges jump guests")
	w.line("iifname @bridges oifname %s jump guests", guestBridges)
	w.line("iifname %s oifname @bridges jump guests", guestBridges)
	w.shut()
}

// sameBridge drops what a guest sends to a neighbour by the host instead of by the bridge.
// Such a packet is addressed to the bridge; one that isn't is on its way through the
// bridge itself, and only passes here on hosts with net.bridge.bridge-nf-call-iptables.
func (w *writer) sameBridge(n vnet.Network) {
	if n.MAC == "" {
		return
	}
	for _, p := range []netip.Prefix{n.IPv4, n.IPv6} {
		if p.IsValid() {
			w.line("iifname %q oifname %q ether daddr %s %s daddr %s drop", n.Device, n.Device, n.MAC, word(p.Addr()), p.Masked())
		}
	}
}

// input keeps a network's name server to its own guests and the host. It answers on the
// bridge's address, which would otherwise be reached from other networks, and from
// outside where the subnet is routed here (the class of CVE-2012-3411).
func (w *writer) input(nets []vnet.Network) {
	w.open("chain input")
	w.line("type filter hook input priority filter; policy accept;")
	for _, n := range nets {
		for _, p := range []netip.Prefix{n.IPv4, n.IPv6} {
			if n.DNS && p.IsValid() {
				w.line("iifname != { %q, \"lo\" } %s daddr %s meta l4proto { tcp, udp } th dport 53 drop", n.Device, word(p.Addr()), p.Addr())
			}
		}
	}
	w.shut()
}

package vnet

import "net/netip"

// RoutedGateway4 is the host on the link to a routed guest: the same for all of them, link-local,
// so that it takes no address of anybody's.
func RoutedGateway4() netip.Addr { return netip.AddrFrom4([4]byte{169, 254, 0, 1}) }

// RoutedGateway6 is the like for IPv6, and the host on sysct's bridges.
func RoutedGateway6() netip.Addr { return netip.AddrFrom16([16]byte{0: 0xfe, 1: 0x80, 15: 1}) }

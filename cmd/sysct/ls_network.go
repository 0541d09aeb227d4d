package main

import (
	"strings"

	"github.com/sysct/sysct/pkg/guest"
)

// netColumns are those of guests' networks.
func netColumns() []column {
	return []column{
		{name: "ipv4", net: guest.NetAddresses, cell: func(i *guest.Info) string { return addressesText(i, "inet") }},
		{name: "ipv6", net: guest.NetAddresses, cell: func(i *guest.Info) string { return addressesText(i, "inet6") }},
		netColumn("rx", func(n *guest.NetUsage) int64 { return n.ReceiveBytes }, func(n *guest.NetUsage) string { return bytesText(n.ReceiveBytes) }),
		netColumn("tx", func(n *guest.NetUsage) int64 { return n.TransmitBytes }, func(n *guest.NetUsage) string { return bytesText(n.TransmitBytes) }),
		netColumn("net", func(n *guest.NetUsage) int64 { return n.ReceiveBytes + n.TransmitBytes },
			func(n *guest.NetUsage) string { return bytesText(n.ReceiveBytes) + "/" + bytesText(n.TransmitBytes) }),
	}
}

func netColumn(name string, number func(*guest.NetUsage) int64, text func(*guest.NetUsage) string) column {
	return column{
		name: name, net: guest.NetFigures,
		cell: func(i *guest.Info) string {
			if n := i.Use().Network; n != nil {
				return text(n)
			}
			return "-"
		},
		number: func(i *guest.Info) float64 {
			if n := i.Use().Network; n != nil {
				return float64(number(n))
			}
			return -1
		},
	}
}

// addressesText are a family's addresses by which others reach the guest.
func addressesText(i *guest.Info, family string) string {
	var list []string
	for _, a := range i.Addresses {
		if a.Family == family && a.Usable() {
			list = append(list, a.Address.String())
		}
	}
	if len(list) == 0 {
		return "-"
	}
	return strings.Join(list, ", ")
}

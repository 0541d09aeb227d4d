package main

import (
	"cmp"
	"fmt"

	"github.com/sysct/sysct/pkg/guest"
)

// networkRows shows a guest's addresses and what went through its interfaces, under the
// labels that lxc-info has.
func networkRows(i *guest.Info, row func(label, value string)) {
	for _, a := range i.Addresses {
		if a.Usable() {
			row("IP", a.Address.String())
		}
	}
	for _, p := range i.Published {
		row("Published", publishedText(p))
	}
	net := i.Use().Network
	if net == nil {
		return
	}
	for _, is := range net.Interfaces {
		row("Link", cmp.Or(optionalText(is.Link), "none")+" ("+is.Name+downText(is.Up)+")")
		row(" TX bytes", trafficText(is.TransmitBytes, is.TransmitPackets, is.TransmitErrors, is.TransmitDrops))
		row(" RX bytes", trafficText(is.ReceiveBytes, is.ReceivePackets, is.ReceiveErrors, is.ReceiveDrops))
		row(" Total bytes", bytesText(is.TransmitBytes+is.ReceiveBytes))
	}
}

// publishedText says which port of the host leads to which of the guest's.
func publishedText(p guest.Published) string {
	text := fmt.Sprintf("%d/%s", p.Port, p.Proto)
	if p.Address != nil {
		text += " of " + *p.Address
	}
	if p.Loopback {
		text += " and of loopback"
	}
	return text + fmt.Sprintf(" to %d", p.To)
}

func trafficText(bytes, packets, errors, drops int64) string {
	text := bytesText(bytes) + " in " + counted(packets, "packet", "packets")
	if errors > 0 {
		text += fmt.Sprintf(", %d with errors", errors)
	}
	if drops > 0 {
		text += fmt.Sprintf(", %d dropped", drops)
	}
	return text
}

func downText(up bool) string {
	if up {
		return ""
	}
	return ", down"
}

func optionalText(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// Package networks keeps the networks of an instance: what their subnets are, who has
// which address on them, and that on the host there is what they need, which is a bridge
// with addresses, forwarding, the instance's table of packet filter rules, and a dnsmasq.
// It makes no interface of a guest, and knows no configuration of one.
//
//	DIR/NAME.toml            what a user writes of a network (spec.Network)
//	HOST/networks.json       the subnets of all networks of all instances, under one lock
//	STATE/.net/ledger.json   the addresses of guests' interfaces, under one lock
//	RUN/.net/networks/NAME   the networks that are up (package nft)
//	RUN/.net/dns-NAME.pid    the dnsmasq of a network, with
//	RUN/.net/dns-NAME.json   what it was started for
//	/run/sysct-dns/NAME/     what it reads, because it has no rights in RUN; with another
//	                         instance's tag /run/sysct-dns-TAG
package networks

package doctor

import (
	"fmt"
	"strings"
)

// networkPrograms: what guests' networks are made with.
func networkPrograms(h *Host) []Finding {
	var missing []string
	for _, p := range []struct{ program, pkg string }{{"nft", "nftables"}, {"dnsmasq", "dnsmasq-base"}} {
		if !h.Network.Has(p.program) {
			missing = append(missing, p.pkg)
		}
	}
	if len(missing) == 0 {
		return fine("nft and dnsmasq are there")
	}
	return []Finding{{Severity: Warning, Found: "the host hasn't " + strings.Join(missing, " and "),
		Why: "new guests are made without a network: nft leads their traffic to others, dnsmasq gives them addresses and names", Mend: "apt-get install " + strings.Join(missing, " ")}}
}

// networks: what others have taken of those that are up.
func networks(h *Host) []Finding {
	var bad []Finding
	for _, d := range h.Network.Damaged {
		bad = append(bad, Finding{Severity: Problem, Found: d.Found, Mend: d.Mend,
			Why: "guests on it don't start, don't reach others, aren't reached, or resolve no names"})
	}
	return orFine(bad, "networks that are up lack nothing")
}

// forwarding: networks that are up lead nowhere without it.
func forwarding(h *Host) []Finding {
	if !h.Network.NAT4 && !h.Network.NAT6 {
		return fine("no network of sysct needs it")
	}
	var off []string
	for _, s := range []struct {
		file, key string
		wanted    bool
	}{
		{"ipv4/ip_forward", "net.ipv4.ip_forward", h.Network.NAT4},
		{"ipv6/conf/all/forwarding", "net.ipv6.conf.all.forwarding", h.Network.NAT6},
	} {
		if text, err := h.Read("/proc/sys/net/" + s.file); s.wanted && err == nil && text == "0" {
			off = append(off, s.key)
		}
	}
	if len(off) == 0 {
		return fine("the host forwards for its networks")
	}
	return []Finding{{Severity: Warning, Found: strings.Join(off, " and ") + ": off, while networks of sysct are up",
		Why: "guests reach the host but nothing beyond it; another program has turned it off since", Mend: "sysct net repair"}}
}

// bridgeFilter: the host's rules for forwarded packets may hold for what passes through a
// bridge, too.
func bridgeFilter(h *Host) []Finding {
	text, err := h.Read("/proc/sys/net/bridge/bridge-nf-call-iptables")
	if len(h.Network.Bridges) == 0 || err != nil || text == "0" {
		return fine("what guests of one bridge send each other passes no rules")
	}
	f := Finding{Severity: Note, Found: "net.bridge.bridge-nf-call-iptables is on: what guests of one bridge send each other passes the host's rules for forwarded packets",
		Why:  "it is slower, and by the host's address a guest doesn't reach its own published ports, nor an isolated one those of its bridge; Docker and Kubernetes turn it on for rules of theirs",
		Mend: "sysctl -w net.bridge.bridge-nf-call-iptables=0 net.bridge.bridge-nf-call-ip6tables=0"}
	rules, err := h.Network.Rules()
	if err != nil {
		return append(unknown(err), f)
	}
	for _, bridge := range h.Network.Bridges {
		for _, six := range []bool{false, true} {
			if c := rules.dropper("forward", packet{iif: bridge, oif: bridge, proto: "tcp", dport: "443", state: "new", six: six}); c != nil {
				f.Severity = Warning
				f.Found = fmt.Sprintf("net.bridge.bridge-nf-call-iptables is on, and %s (chain %s %s %s) drops what guests on %s send each other", makerOf(rules, c).name, c.Family, c.Table, c.Name, bridge)
				f.Why = "guests of one bridge don't reach each other"
				return []Finding{f}
			}
		}
	}
	return []Finding{f}
}

// nameServer: one on all addresses keeps sysct's from the bridges'.
func nameServer(h *Host) []Finding {
	if len(h.Network.Names) == 0 {
		return fine("no network of sysct with a name server is up")
	}
	for _, proto := range []string{"udp", "tcp"} {
		who := h.Network.Server(proto, 53)
		if who == "" {
			continue
		}
		mend := "have it listen on the host's own addresses only, and then: sysct net repair"
		switch name, _, _ := strings.Cut(who, " "); name {
		case "dnsmasq":
			mend = "echo bind-dynamic > /etc/dnsmasq.d/beside-sysct.conf && systemctl restart dnsmasq && sysct net repair"
		case "named":
			mend = "set listen-on and listen-on-v6 in named's options to the host's own addresses, and then: systemctl restart named && sysct net repair"
		case "unbound":
			mend = "set interface in unbound's server clause to the host's own addresses, and then: systemctl restart unbound && sysct net repair"
		}
		return []Finding{{Severity: Warning, Found: "port 53 of all the host's addresses is taken by " + who, Why: "sysct's name server can't listen on the networks' bridges: guests resolve no names", Mend: mend}}
	}
	return fine("port 53 is free for the networks' name servers")
}

package doctor

import (
	"fmt"
	"slices"
	"strings"
)

// firewall: what of the guests' traffic the host's rules drop. They are the host's, so
// they are left alone, and the commands are told that let sysct's bridges pass.
func firewall(h *Host) []Finding {
	if len(h.Network.Bridges) == 0 {
		return fine("no network of sysct is up")
	}
	rules, err := h.Network.Rules()
	if err != nil {
		return unknown(err)
	}
	var all []Finding
	for _, bridge := range h.Network.Bridges {
		all = append(all, h.forwarded(rules, bridge)...)
		all = append(all, h.served(rules, bridge)...)
	}
	return orFine(all, "no rule of the host drops what guests send")
}

// elsewhere stands for a device that isn't sysct's: what is behind it.
const elsewhere = "*uplink"

// forwarded looks at what a guest sends to other networks and at the answers.
func (h *Host) forwarded(rules filterRules, bridge string) []Finding {
	return told(rules, h, bridge, "forward", []packet{
		{iif: bridge, oif: elsewhere, proto: "tcp", dport: "443", state: "new"},
		{iif: elsewhere, oif: bridge, proto: "tcp", dport: "40000", state: "established"},
	}, Finding{Severity: Warning, Found: "drops what guests on " + bridge + " send to other networks, or what comes back",
		Why: "guests reach the host but nothing beyond it, and nobody reaches their published ports"})
}

// served looks at what the host itself answers guests: addresses and names.
func (h *Host) served(rules filterRules, bridge string) []Finding {
	return told(rules, h, bridge, "input", []packet{
		{iif: bridge, proto: "udp", dport: "67", state: "new"},
		{iif: bridge, proto: "udp", dport: "53", state: "new"},
		{iif: bridge, proto: "tcp", dport: "53", state: "new"},
	}, Finding{Severity: Warning, Found: "drops what guests on " + bridge + " ask the host for: addresses by DHCP, and names",
		Why: "guests resolve no names, and those with a DHCP client of their own may lose their addresses"})
}

// told fills in whose chains drop one of the packets, of either family, and what helps.
func told(rules filterRules, h *Host, bridge, hook string, packets []packet, f Finding) []Finding {
	var mends []string
	for _, six := range []bool{false, true} {
		for _, p := range packets {
			p.six = six
			c := rules.dropper(hook, p)
			if c == nil {
				continue
			}
			m := makerOf(rules, c)
			if len(mends) == 0 {
				f.Found = fmt.Sprintf("%s (chain %s %s %s) %s", m.name, c.Family, c.Table, c.Name, f.Found)
				f.Why += "; " + m.keeps
			}
			mend := m.forward
			if hook == "input" {
				mend = m.input
			}
			if text := mend(h, c, bridge); !slices.Contains(mends, text) {
				mends = append(mends, text)
			}
			break
		}
	}
	if len(mends) == 0 {
		return nil
	}
	f.Mend = strings.Join(mends, " && ")
	return []Finding{f}
}

// maker is whose rules they are, and how to be let pass by them.
type maker struct {
	name, keeps    string
	forward, input func(h *Host, c *filterChain, bridge string) string
}

// makerOf tells it by the names of the chains, which each of them gives its own.
func makerOf(rules filterRules, c *filterChain) maker {
	has := func(name string) bool { return rules.find(c, name) != nil }
	switch {
	case strings.HasPrefix(c.Table, "firewalld"):
		return maker{"firewalld", "the command is for good", firewalldMend, firewalldMend}
	case has("ufw-user-forward") || has("ufw6-user-forward"):
		return maker{"ufw", "the commands are for good", ufwForward, ufwInput}
	case has("DOCKER-USER") && c.Hook == "forward":
		return maker{"Docker", "the chain DOCKER-USER is made for such rules, and they have to be given again after a boot", dockerForward, anyInput}
	}
	return maker{"the host's packet filter", "put the rules where the others come from, or they are gone after a boot", anyForward, anyInput}
}

func firewalldMend(_ *Host, _ *filterChain, bridge string) string {
	return fmt.Sprintf("firewall-cmd --permanent --zone=trusted --add-interface=%s && firewall-cmd --reload", bridge)
}

func ufwForward(_ *Host, _ *filterChain, bridge string) string {
	return fmt.Sprintf("ufw route allow in on %s && ufw route allow out on %s", bridge, bridge)
}

func ufwInput(_ *Host, _ *filterChain, bridge string) string {
	return fmt.Sprintf("ufw allow in on %s to any port 53 && ufw allow in on %s to any port 67 proto udp && ufw allow in on %s to any port 547 proto udp", bridge, bridge, bridge)
}

// dockerForward: Docker sends all that is forwarded through a chain of the administrator's
// first.
func dockerForward(h *Host, c *filterChain, bridge string) string {
	user := *c
	user.Name = "DOCKER-USER"
	return forwardRules(h, &user, bridge)
}

func anyForward(h *Host, c *filterChain, bridge string) string { return forwardRules(h, c, bridge) }

// forwardRules let pass what a bridge's guests send, the answers, and what was published.
func forwardRules(h *Host, c *filterChain, bridge string) string {
	if program := h.iptables(c); program != "" {
		at := program + " -I " + c.Name
		return fmt.Sprintf("%s -i %s -j ACCEPT && %s -o %s -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT && %s -o %s -m conntrack --ctstate DNAT -j ACCEPT",
			at, bridge, at, bridge, at, bridge)
	}
	at := fmt.Sprintf("nft insert rule %s %s %s", c.Family, c.Table, c.Name)
	return fmt.Sprintf("%s iifname %s accept && %s oifname %s ct state established,related accept && %s oifname %s ct status dnat accept", at, bridge, at, bridge, at, bridge)
}

// anyInput lets pass what guests ask the host's DHCP and name server.
func anyInput(h *Host, c *filterChain, bridge string) string {
	if program := h.iptables(c); program != "" {
		one := program + " -I " + c.Name + " -i " + bridge
		return fmt.Sprintf("%s -p udp -m multiport --dports 53,67,547 -j ACCEPT && %s -p tcp --dport 53 -j ACCEPT", one, one)
	}
	at := fmt.Sprintf("nft insert rule %s %s %s iifname %s", c.Family, c.Table, c.Name, bridge)
	return fmt.Sprintf("%s udp dport '{ 53, 67, 547 }' accept && %s tcp dport 53 accept", at, at)
}

// iptables is the program that a chain was made by, if it looks like one of its, and the
// host has it: its users look for rules with it.
func (h *Host) iptables(c *filterChain) string {
	name, ok := map[string]string{"ip": "iptables", "ip6": "ip6tables"}[c.Family]
	switch {
	case c.Legacy && h.Network.Has(name+"-legacy"):
		return name + "-legacy"
	case c.Legacy:
		return name
	case !ok || c.Table != "filter" || strings.ToUpper(c.Name) != c.Name || !h.Network.Has(name):
		return ""
	}
	return name
}

package doctor

import (
	"slices"
	"strings"
)

// The host's packet filter, as far as it is needed to tell what becomes of a packet: the
// base chains of a hook each have a say, and one that drops is enough. A rule of whose
// conditions one isn't understood is passed by: it may match few packets (a port, a rate)
// or all. So what is told to be dropped is dropped by policy, or by rules that are clear.

// filterRules are all chains of nftables and, if its modules are loaded, of iptables-legacy.
type filterRules []*filterChain

// filterChain is a chain. Hook is empty for one that others jump to.
type filterChain struct {
	Family, Table, Name string
	Hook, Policy        string
	Legacy              bool // of iptables-legacy
	Rules               []filterRule
}

// filterRule is one: all conditions have to hold.
type filterRule struct {
	If     []condition
	Unsure bool   // there are conditions that aren't understood
	Do     string // accept, drop, jump, goto, return; "": nothing that ends it
	Target string // of jump and goto
}

// condition compares a property of the packet with words: "iif", "oif", "proto", "dport",
// "state". A device may end with * or + for any rest.
type condition struct {
	Of    string
	Not   bool
	Words []string
}

// packet is one that is sent through.
type packet struct {
	iif, oif, proto, dport, state string
	six                           bool
}

func (p packet) word(of string) string {
	return map[string]string{"iif": p.iif, "oif": p.oif, "proto": p.proto, "dport": p.dport, "state": p.state}[of]
}

func (c condition) holds(p packet) bool {
	has := p.word(c.Of)
	found := slices.ContainsFunc(c.Words, func(w string) bool {
		if rest, ok := strings.CutSuffix(strings.Replace(w, "+", "*", 1), "*"); ok && c.Of[1:] == "if" {
			return strings.HasPrefix(has, rest)
		}
		return w == has
	})
	return found != c.Not
}

// names says that a condition is of just the device that the packet comes from or goes to.
func (c condition) names(p packet) bool {
	return c.Of[1:] == "if" && !c.Not && slices.Contains(c.Words, p.word(c.Of)) && p.word(c.Of) != ""
}

// dropper is the base chain of a hook that drops a packet; nil: none does.
func (r filterRules) dropper(hook string, p packet) *filterChain {
	for _, c := range r {
		if c.Hook == hook && c.has(p) && r.verdict(c, p, 0) == "drop" {
			return c
		}
	}
	return nil
}

// has says whether packets of the family come through a chain's table.
func (c *filterChain) has(p packet) bool {
	return c.Family == "inet" || c.Family == "ip" && !p.six || c.Family == "ip6" && p.six
}

func (r filterRules) find(like *filterChain, name string) *filterChain {
	for _, c := range r {
		if c.Family == like.Family && c.Table == like.Table && c.Legacy == like.Legacy && c.Name == name {
			return c
		}
	}
	return nil
}

// maxJumps is the depth that the kernel lets chains have.
const maxJumps = 16

// verdict is accept, drop, or "" at the end of a chain that others jump to.
func (r filterRules) verdict(c *filterChain, p packet, depth int) string {
	for _, rule := range c.Rules {
		if !rule.matches(p) {
			continue
		}
		switch rule.Do {
		case "accept", "drop":
			return rule.Do
		case "return":
			return c.Policy
		case "jump", "goto":
			target := r.find(c, rule.Target)
			if target == nil || depth == maxJumps {
				continue
			}
			v := r.verdict(target, p, depth+1)
			if v == "" && rule.Do == "goto" {
				v = c.Policy
			}
			if v != "" || rule.Do == "goto" {
				return v
			}
		}
	}
	return c.Policy
}

// matches says whether a rule surely applies. Of one that isn't understood only a leave is
// believed, and only one for just this device, or for answers: every firewall has one for
// those, in words of its own.
func (r filterRule) matches(p packet) bool {
	own := false
	for _, c := range r.If {
		if !c.holds(p) {
			return false
		}
		own = own || c.names(p)
	}
	return !r.Unsure || r.Do == "accept" && (own || p.state == "established")
}

package doctor

import (
	"encoding/json"
	"fmt"
	"strings"
)

// parseNft reads what nft -j list ruleset prints. Source: libnftables-json(5).
func parseNft(text string) (filterRules, error) {
	var doc struct {
		Nftables []struct {
			Chain *struct{ Family, Table, Name, Hook, Policy string }
			Rule  *struct {
				Family, Table, Chain string
				Expr                 []map[string]any
			}
		}
	}
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		return nil, fmt.Errorf("cannot read the rules of nft: %w", err)
	}
	var all filterRules
	for _, o := range doc.Nftables {
		if c := o.Chain; c != nil {
			chain := &filterChain{Family: c.Family, Table: c.Table, Name: c.Name, Hook: c.Hook, Policy: c.Policy}
			if c.Hook != "" && c.Policy == "" {
				chain.Policy = "accept"
			}
			all = append(all, chain)
		}
		if r := o.Rule; r != nil {
			if c := all.find(&filterChain{Family: r.Family, Table: r.Table}, r.Chain); c != nil {
				c.Rules = append(c.Rules, nftRule(r.Expr))
			}
		}
	}
	return all, nil
}

func nftRule(expressions []map[string]any) filterRule {
	var rule filterRule
	for _, e := range expressions {
		for key, value := range e {
			switch key {
			case "match":
				if c, ok := nftCondition(value); ok {
					rule.If = append(rule.If, c)
				} else {
					rule.Unsure = true
				}
			case "accept", "return", "drop":
				rule.Do = key
			case "reject":
				rule.Do = "drop"
			case "jump", "goto":
				rule.Do = key
				rule.Target, _ = field(value, "target").(string)
			case "counter", "log", "comment", "mangle":
			default:
				rule.Unsure = true
			}
		}
	}
	return rule
}

// nftCondition reads a match of which the packet's word is known.
func nftCondition(match any) (condition, bool) {
	c := condition{}
	op, _ := field(match, "op").(string)
	c.Not = op == "!="
	if op != "==" && op != "!=" && op != "in" {
		return c, false
	}
	left := field(match, "left")
	meta, _ := field(field(left, "meta"), "key").(string)
	ct, _ := field(field(left, "ct"), "key").(string)
	port, _ := field(field(left, "payload"), "field").(string)
	switch {
	case meta == "iifname" || meta == "iif":
		c.Of = "iif"
	case meta == "oifname" || meta == "oif":
		c.Of = "oif"
	case meta == "l4proto":
		c.Of = "proto"
	case ct == "state":
		c.Of = "state"
	case port == "dport":
		c.Of = "dport"
	default:
		return c, false
	}
	var ok bool
	c.Words, ok = nftWords(field(match, "right"))
	return c, ok
}

// nftWords are the words of a right side: one, or a set that is written there. A set by
// name, a range or a prefix isn't known.
func nftWords(right any) ([]string, bool) {
	switch v := right.(type) {
	case string:
		return []string{v}, !strings.HasPrefix(v, "@")
	case float64:
		return []string{fmt.Sprint(int64(v))}, true
	case []any:
		var all []string
		for _, e := range v {
			words, ok := nftWords(e)
			if !ok {
				return nil, false
			}
			all = append(all, words...)
		}
		return all, true
	case map[string]any:
		if set, ok := v["set"]; ok {
			return nftWords(set)
		}
	}
	return nil, false
}

// field is that of an object, nil if there is none.
func field(object any, name string) any {
	m, _ := object.(map[string]any)
	return m[name]
}

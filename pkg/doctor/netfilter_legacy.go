package doctor

import "strings"

// parseLegacy reads what iptables-legacy-save prints for a family: ip or ip6.
func parseLegacy(family, text string) filterRules {
	var all filterRules
	table := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		words := strings.Fields(line)
		switch {
		case strings.HasPrefix(line, "*"):
			table = line[1:]
		case strings.HasPrefix(line, ":") && len(words) > 1 && table == "filter":
			c := &filterChain{Family: family, Table: table, Name: words[0][1:], Legacy: true}
			if words[1] != "-" {
				c.Policy, c.Hook = strings.ToLower(words[1]), strings.ToLower(c.Name)
			}
			all = append(all, c)
		case len(words) > 1 && words[0] == "-A" && table == "filter":
			if c := all.find(&filterChain{Family: family, Table: table, Legacy: true}, words[1]); c != nil {
				c.Rules = append(c.Rules, legacyRule(words[2:]))
			}
		}
	}
	return all
}

// legacyRule reads a rule's words. Source: iptables(8), iptables-extensions(8).
func legacyRule(words []string) filterRule {
	var rule filterRule
	not := false
	for i := 0; i < len(words); i++ {
		next := ""
		if i+1 < len(words) {
			next = words[i+1]
		}
		of := map[string]string{"-i": "iif", "-o": "oif", "-p": "proto", "--dport": "dport", "--ctstate": "state", "--state": "state"}[words[i]]
		switch {
		case words[i] == "!":
			not = true
			continue
		case of != "":
			rule.If = append(rule.If, condition{of, not, strings.Split(strings.ToLower(next), ",")})
			i++
		case words[i] == "-m" && (next == "conntrack" || next == "state" || next == "tcp" || next == "udp" || next == "comment"):
			i++
		case words[i] == "--comment":
			i = quotedEnd(words, i+1)
		case words[i] == "-j" || words[i] == "-g":
			rule.Do, rule.Target = legacyVerdict(words[i], next)
			return rule // what follows is of the target
		default:
			rule.Unsure = true
		}
		not = false
	}
	return rule
}

// quotedEnd is the index of a comment's last word.
func quotedEnd(words []string, i int) int {
	if i < len(words) && strings.HasPrefix(words[i], `"`) {
		for j := i; j < len(words); j++ {
			if strings.HasSuffix(words[j], `"`) && (j > i || len(words[j]) > 1) {
				return j
			}
		}
	}
	return i
}

func legacyVerdict(how, target string) (do, to string) {
	switch target {
	case "ACCEPT":
		return "accept", ""
	case "DROP", "REJECT":
		return "drop", ""
	case "RETURN":
		return "return", ""
	case "LOG", "NFLOG", "MARK", "CONNMARK", "":
		return "", ""
	}
	if how == "-g" {
		return "goto", target
	}
	return "jump", target
}

package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/sysct/sysct/pkg/vnet/nft"
	"github.com/sysct/sysct/pkg/vnet/publish"
)

// listTime is how long a host's rules may take to be listed; some have many thousands.
const listTime = 20 * time.Second

// lookAtNetwork gives the real host's.
func lookAtNetwork(runDir string) Network {
	n := Network{Has: func(name string) bool { return nft.Find(name) != "" }, Rules: hostRules, Server: publish.Everywhere}
	nets, err := nft.Networks(runDir)
	if err != nil {
		n.Rules = func() (filterRules, error) { return nil, err }
	}
	for _, net := range nets {
		n.Bridges = append(n.Bridges, net.Device)
		n.NAT4, n.NAT6 = n.NAT4 || net.NAT && net.IPv4.IsValid(), n.NAT6 || net.NAT && net.IPv6.IsValid()
		if net.DNS {
			n.Names = append(n.Names, net.Device)
		}
	}
	return n
}

// hostRules are those of nftables, iptables-nft's among them, and those of iptables-legacy
// if its modules are loaded: to ask it for them would load them.
func hostRules() (filterRules, error) {
	var all filterRules
	if program := nft.Find("nft"); program != "" {
		text, err := list(program, "-j", "list", "ruleset")
		if err != nil {
			return nil, err
		}
		if all, err = parseNft(text); err != nil {
			return nil, err
		}
	}
	all = slices.DeleteFunc(all, func(c *filterChain) bool { return c.Table == "sysct" || strings.HasPrefix(c.Table, "sysct_") })
	for _, l := range []struct{ family, modules, program string }{
		{"ip", "/proc/net/ip_tables_names", "iptables-legacy-save"}, {"ip6", "/proc/net/ip6_tables_names", "ip6tables-legacy-save"},
	} {
		program := nft.Find(l.program)
		if tables, err := os.ReadFile(l.modules); err != nil || len(tables) == 0 || program == "" {
			continue
		}
		text, err := list(program)
		if err != nil {
			return nil, err
		}
		all = append(all, parseLegacy(l.family, text)...)
	}
	return all, nil
}

func list(program string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), listTime)
	defer cancel()
	out, err := exec.CommandContext(ctx, program, args...).Output()
	var said *exec.ExitError
	if errors.As(err, &said) {
		return "", fmt.Errorf("%s: %w: %s", program, err, strings.TrimSpace(string(said.Stderr)))
	}
	return string(out), err
}

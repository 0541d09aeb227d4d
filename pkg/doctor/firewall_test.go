package doctor

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestFirewalls reads rules as programs write them, and tells what is said of them.
func TestFirewalls(t *testing.T) {
	files, err := filepath.Glob("testdata/rules/*")
	if err != nil || len(files) < 6 {
		t.Fatalf("%d files: %v", len(files), err)
	}
	var b strings.Builder
	for _, file := range files {
		m := healthy()
		m.files["/proc/sys/net/bridge/bridge-nf-call-iptables"] = "1"
		m.Network.Rules = func() (filterRules, error) { return rulesOf(file) }
		fmt.Fprintf(&b, "# %s\n%s", filepath.Base(file), text(notFine(append(firewall(&m.Host), bridgeFilter(&m.Host)...))))
	}
	golden(t, "firewalls", b.String())
}

// rulesOf reads a file of iptables-save or of nft -j list ruleset.
func rulesOf(file string) (filterRules, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	if strings.HasSuffix(file, ".json") {
		return parseNft(string(data))
	}
	return parseLegacy("ip", string(data)), nil
}

func TestRulesThatCantBeRead(t *testing.T) {
	if _, err := parseNft("not json"); err == nil {
		t.Error("no error")
	}
	// What no version of nft wrote yet is unsure, and never a panic.
	for _, expr := range []string{`[{"match":null,"drop":null}]`, `[{"match":{"op":"==","left":3,"right":{}},"drop":null}]`, `[{"jump":null}]`, `[{"new":1,"drop":null}]`} {
		text := fmt.Sprintf(`{"nftables":[{"chain":{"family":"ip","table":"t","name":"c","hook":"forward","policy":"accept"}},{"rule":{"family":"ip","table":"t","chain":"c","expr":%s}}]}`, expr)
		rules, err := parseNft(text)
		if err != nil || len(rules) != 1 || rules.dropper("forward", packet{iif: "sysctbr0"}) != nil {
			t.Errorf("%s: %v %v", expr, rules, err)
		}
	}
}

// TestChainsInACircle: the kernel refuses them, a text may have them.
func TestChainsInACircle(t *testing.T) {
	rules := parseLegacy("ip", "*filter\n:FORWARD DROP [0:0]\n:a - [0:0]\n-A FORWARD -j a\n-A a -j a\n-A a -j a\n")
	if c := rules.dropper("forward", packet{}); c == nil || c.Name != "FORWARD" {
		t.Error(c)
	}
}

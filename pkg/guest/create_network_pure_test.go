package guest

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sysct/sysct/pkg/guest/spec"
)

// TestNewConfigsNetwork: what the configuration of a new guest says of its network.
func TestNewConfigsNetwork(t *testing.T) {
	top := t.TempDir()
	if err := os.MkdirAll(filepath.Join(top, ".profiles"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(top, ".profiles/lan.toml"), []byte("[[net]]\ntype = \"macvlan\"\nparent = \"lan\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(top, ".networks"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(top, ".networks/dmz.toml"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	programs := t.TempDir()
	for _, name := range []string{"nft", "dnsmasq"} {
		if err := os.WriteFile(filepath.Join(programs, name), []byte("#!/bin/sh\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", programs+":"+os.Getenv("PATH"))
	for _, c := range []struct{ host, net, config, want string }{
		{"", "", "", "bridge"},
		{"", "none", "", ""},
		{"", "host", "", "host"},
		{"", "dmz", "", "bridge dmz"},
		{"dmz", "", "", "bridge dmz"},
		{"none", "", "", ""},
		{"none", "sysctbr0", "", "bridge"},
		{"none", "", "limits.pids=5", ""},
		{"", "", "net[0].type=host", "host"},
		{"", "", "net[0].mtu=1400", ""}, // an entry without a word is a bridge's
		{"", "", "net[1].network=dmz", "bridge, dmz"},
		{"", "dmz", "net[0].mtu=1400", "bridge dmz"},
		{"", "", "share.net=db", ""},
		{"", "", "profiles=lan", "macvlan"},
		{"", "dmz", "profiles=lan", "bridge dmz"},
		{"", "none", "profiles=lan", "none"},
	} {
		m, err := Open(Options{Dirs: spec.Dirs{State: top}, Network: c.host})
		if err != nil {
			t.Fatal(err)
		}
		o := CreateOptions{Net: c.net}
		if key, value, ok := strings.Cut(c.config, "="); ok {
			o.Config = []spec.Change{{Key: key, Value: value}}
		}
		text, err := m.newConfig("web", o)
		if err != nil {
			t.Errorf("%+v: %v", c, err)
			continue
		}
		cfg, err := m.layers().Parse(text, filepath.Join(top, "web/config.toml"))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, n := range cfg.Net {
			got = append(got, strings.TrimSpace(n.Type+" "+n.Network))
		}
		if got := strings.Join(got, ", "); got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
	m, err := Open(Options{Dirs: spec.Dirs{State: top}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.newConfig("web", CreateOptions{Net: "a b"}); err == nil || !strings.Contains(err.Error(), `cannot use network: name "a b": only`) {
		t.Error(err)
	}
	if _, err := m.newConfig("web", CreateOptions{Net: "dmzz"}); err == nil || err.Error() != "net[0].network: no such network: dmzz\nhint: did you mean dmz?" {
		t.Error(err)
	}
}

// TestNoProgramsForANetwork: a guest whose network nobody has named is made without one.
func TestNoProgramsForANetwork(t *testing.T) {
	for _, c := range []struct {
		wanted, host string
		lacking      []string
		net          bool
		warning      string
	}{
		{"", "", nil, true, ""},
		{"", "", []string{"nft", "dnsmasq"}, false, "the guest is made without a network: the host has no nft and no dnsmasq\nhint: apt install dnsmasq-base nftables"},
		{"", DefaultNetwork, []string{"nft"}, false, "the guest is made without a network: the host has no nft\nhint: apt install dnsmasq-base nftables"},
		{DefaultNetwork, "", []string{"nft"}, true, ""},
		{"", "dmz", []string{"nft"}, true, ""},
		{"", "none", []string{"nft"}, false, ""},
	} {
		net, warning, err := newNetwork(c.wanted, c.host, false, c.lacking)
		if err != nil || (net != nil) != c.net || warning != c.warning {
			t.Errorf("%+v: %v, %q, %v", c, net, warning, err)
		}
	}
	t.Setenv("PATH", t.TempDir())
	if hasProgram("true") || !slices.ContainsFunc([]string{"ip", "mkfs", "ldconfig"}, hasProgram) {
		t.Error("programs are looked for elsewhere than in $PATH, /usr/sbin and /sbin")
	}
}

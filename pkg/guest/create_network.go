package guest

import (
	"cmp"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/sysct/sysct/pkg/guest/spec"
)

// DefaultNetwork is what a new guest is on if nobody says anything else: a network's name,
// or spec.NetNone.
const DefaultNetwork = spec.DefaultNetwork

// newConfig is the config.toml of a new guest: all keys with their manuals, its network,
// and some that aren't as by default.
func (m *Manager) newConfig(name string, o CreateOptions) ([]byte, error) {
	text, cfg, err := m.newText(name, spec.Default(), o.Config)
	said := err == nil && (len(cfg.Net) > 0 || cfg.Share.Net != "") // by what was asked for, or a profile
	if shares := err == nil && cfg.Share.Net != "" && o.Net == spec.NetNone; (o.Net != "" || !said) && !shares {
		fresh, warning, neterr := newNetwork(o.Net, m.opt.Network, said, lackingPrograms())
		if neterr != nil {
			return nil, as(ErrConfig, neterr)
		}
		if warning != "" {
			m.opt.Warn(warning)
		}
		if fresh != nil {
			standard := spec.Default()
			standard.Net = fresh
			text, cfg, err = m.newText(name, standard, o.Config)
		}
	}
	if err != nil {
		return nil, err
	}
	return text, m.newFits(name, cfg)
}

// newText is the text of a configuration with some changes, and what it says.
func (m *Manager) newText(name string, cfg *spec.Guest, changes []spec.Change) ([]byte, *spec.Guest, error) {
	file := m.dir(name) + "/config.toml"
	text, err := m.layers().Edit(spec.Render(cfg), file, changes)
	if err != nil {
		return nil, nil, as(ErrConfig, err)
	}
	cfg, err = m.layers().Parse(text, file)
	return text, cfg, as(ErrConfig, err)
}

// newNetwork is the [[net]] of a new guest. wanted is what was asked for this guest, host
// what new guests have on this host, or nothing; said: there is an entry that this one is
// before. What the host lacks matters only where nobody has named a network.
func newNetwork(wanted, host string, said bool, lacking []string) (net []spec.Net, warning string, err error) {
	network := cmp.Or(wanted, host, DefaultNetwork)
	switch network {
	case spec.NetNone:
		if said {
			return []spec.Net{{Type: spec.NetNone}}, "", nil
		}
		return nil, "", nil
	case spec.NetHost:
		return []spec.Net{{Type: spec.NetHost}}, "", nil
	}
	if err := spec.CheckNetworkName(network); err != nil {
		return nil, "", fmt.Errorf("cannot use network: %w", err)
	}
	if wanted == "" && network == spec.DefaultNetwork && len(lacking) > 0 {
		warning := "the guest is made without a network: the host has no " + strings.Join(lacking, " and no ")
		return nil, warning + "\nhint: apt install dnsmasq-base nftables", nil
	}
	entry := spec.Net{Type: spec.NetBridge}
	if network != spec.DefaultNetwork {
		entry.Network = network
	}
	return []spec.Net{entry}, "", nil
}

// knowsNetworks says whether the networks that a configuration names are there.
func (m *Manager) knowsNetworks(cfg *spec.Guest) error {
	for i := range cfg.Net {
		if name := cfg.Net[i].Network; name != "" {
			if _, err := m.networks().Definition(name); err != nil {
				return as(ErrConfig, fmt.Errorf("net[%d].network: %w", i, err))
			}
		}
	}
	return nil
}

// lackingPrograms are those that a network needs and the host hasn't.
func lackingPrograms() (lacking []string) {
	for _, name := range []string{"nft", "dnsmasq"} {
		if !hasProgram(name) {
			lacking = append(lacking, name)
		}
	}
	return lacking
}

// hasProgram looks beside $PATH where an administrator's programs are: the $PATH that su or
// cron leaves may not have these.
func hasProgram(name string) bool {
	if _, err := exec.LookPath(name); err == nil {
		return true
	}
	for _, dir := range []string{"/usr/sbin", "/sbin"} {
		if _, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return true
		}
	}
	return false
}

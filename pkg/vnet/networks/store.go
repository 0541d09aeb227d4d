package networks

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sysct/sysct/internal/nearest"
	"github.com/sysct/sysct/pkg/guest/spec"
	"github.com/sysct/sysct/pkg/vnet"
)

// What callers branch on, by errors.Is.
var (
	ErrNoNetwork = errors.New("no such network")
	ErrBusy      = errors.New("network is in use")
	// ErrConfig is what a user wrote and can't be: a network's file, an address.
	ErrConfig = errors.New("invalid network")
	// ErrMissing is a program that the host lacks; the error says what to install.
	ErrMissing = errors.New("a program is missing")
)

// kindError is an error of one of the kinds above with a message of its own.
type kindError struct {
	kind error
	err  error
}

func (e *kindError) Error() string        { return e.err.Error() }
func (e *kindError) Is(target error) bool { return target == e.kind }
func (e *kindError) Unwrap() error        { return e.err }

func as(kind error, format string, args ...any) error {
	return &kindError{kind, fmt.Errorf(format, args...)}
}

// Store is the networks of one instance.
type Store struct {
	Tag      string       // of the instance, "" for the default one
	StateDir string       // where its guests are
	RunDir   string       // what the host's reboot ends
	Dir      string       // of the definitions
	HostDir  string       // of the host-wide file; the id ledger's
	Units    bool         // systemd keeps dnsmasq
	Warn     func(string) // takes one line that the user should see; nil: nobody
}

func (s *Store) warn(format string, args ...any) {
	if s.Warn != nil {
		s.Warn(fmt.Sprintf(format, args...))
	}
}

// Definition is what the user has written of a network. The default network is there
// without a file. ErrNoNetwork names the nearest one, ErrConfig is a file that is refused.
func (s *Store) Definition(name string) (*spec.Network, error) {
	if err := spec.CheckNetworkName(name); err != nil {
		return nil, as(ErrConfig, "%w", err)
	}
	n, err := spec.LoadNetwork(s.path(name))
	switch {
	case errors.Is(err, fs.ErrNotExist) && name == spec.DefaultNetwork:
		return spec.DefaultNetworkObject(), nil
	case errors.Is(err, fs.ErrNotExist):
		return nil, s.noNetwork(name)
	case err != nil:
		return nil, as(ErrConfig, "%w", err)
	}
	return n, nil
}

// path is a network's definition.
func (s *Store) path(name string) string { return filepath.Join(s.Dir, name+".toml") }

func (s *Store) noNetwork(name string) error {
	names, _ := s.Names()
	if near := nearest.Of(name, names); near != "" {
		return as(ErrNoNetwork, "no such network: %s\nhint: did you mean %s?", name, near)
	}
	return as(ErrNoNetwork, "no such network: %s\nhint: sysct net ls shows those that are there, sysct net create makes one", name)
}

// Names lists the networks, sorted: the default one and those that have a file.
func (s *Store) Names() ([]string, error) {
	names := []string{spec.DefaultNetwork}
	entries, err := os.ReadDir(s.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot list networks: %w", err)
	}
	for _, e := range entries {
		name, is := strings.CutSuffix(e.Name(), ".toml")
		if is && spec.CheckNetworkName(name) == nil && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// Resolve gives a network with all that is to be chosen: its subnets are chosen when they
// are first asked for, and kept.
func (s *Store) Resolve(ctx context.Context, name string) (*vnet.Network, error) {
	def, err := s.Definition(name)
	if err != nil {
		return nil, err
	}
	v4, v6, err := s.subnets(ctx, name, def)
	if err != nil {
		return nil, err
	}
	return s.network(name, def, v4, v6), nil
}

func (s *Store) network(name string, def *spec.Network, v4, v6 subnet) *vnet.Network {
	if v6.Auto && !hasIPv6() {
		v6 = subnet{} // who wrote one is told by Up
	}
	n := &vnet.Network{
		Name: name, Device: vnet.BridgeName(s.Tag, name), IPv4: v4.Prefix, IPv6: v6.Prefix,
		NAT: def.NAT, DHCP: def.DHCP, DNS: def.DNS, Domain: strings.ToLower(def.Domain), Isolate: def.Isolate,
		MAC: bridgeMAC(s.Tag, name),
	}
	if def.MTU != nil {
		n.MTU = *def.MTU
	}
	return n
}

// makeDir makes one of the store's directories, only for root.
func makeDir(path string) error {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return fmt.Errorf("cannot make directory of networks: %w", err)
	}
	return nil
}

package networks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"

	"github.com/sysct/sysct/internal/atomicfile"
)

const hostVersion = 1

// subnet is a network's own address with the length of its subnet; none, if it isn't valid.
type subnet struct {
	netip.Prefix
	Auto bool `json:"-"` // it was chosen, not written by a user
}

// claim is the subnets of one network of one instance.
type claim struct {
	StateDir string       `json:"state_dir"`
	Network  string       `json:"network"`
	IPv4     netip.Prefix `json:"ipv4,omitzero"`
	IPv6     netip.Prefix `json:"ipv6,omitzero"`
	Auto4    bool         `json:"auto4,omitempty"`
	Auto6    bool         `json:"auto6,omitempty"`
}

func (c *claim) is(stateDir, network string) bool {
	return c.StateDir == stateDir && c.Network == network
}

// overlaps says whether a prefix has an address of the claim's subnets.
func (c *claim) overlaps(p netip.Prefix) bool {
	return p.IsValid() && (c.IPv4.IsValid() && c.IPv4.Overlaps(p) || c.IPv6.IsValid() && c.IPv6.Overlaps(p))
}

type hostFile struct {
	Version int     `json:"version"`
	Claims  []claim `json:"claims"`
}

// find gives the network's claim, or nil.
func (f *hostFile) find(stateDir, network string) *claim {
	for i := range f.Claims {
		if f.Claims[i].is(stateDir, network) {
			return &f.Claims[i]
		}
	}
	return nil
}

func (s *Store) hostPath() string { return filepath.Join(s.HostDir, "networks.json") }

// readHost refuses a file that it doesn't understand: without it two networks would get
// the same subnet.
func (s *Store) readHost() (*hostFile, error) {
	f := &hostFile{Version: hostVersion}
	if err := readJSON(s.hostPath(), f); err != nil {
		return nil, as(ErrDamaged, "cannot read the host's subnets: %w\nhint: sysct net repair makes the file anew of what networks are up", err)
	}
	if f.Version != hostVersion {
		return nil, fmt.Errorf("cannot read the host's subnets: %s has version %d, this sysct knows %d", s.hostPath(), f.Version, hostVersion)
	}
	return f, nil
}

// changeHost changes the file under the host's lock.
func (s *Store) changeHost(ctx context.Context, change func(*hostFile) error) error {
	if err := makeDir(s.HostDir); err != nil {
		return err
	}
	lock, err := acquire(ctx, filepath.Join(s.HostDir, "networks.lock"))
	if err != nil {
		return fmt.Errorf("cannot lock the host's subnets: %w", err)
	}
	defer lock.Release()
	f, err := s.readHost()
	if err != nil {
		return err
	}
	before := slices.Clone(f.Claims)
	if err := change(f); err != nil || slices.Equal(before, f.Claims) {
		return err
	}
	return writeJSON(s.hostPath(), f)
}

// forget drops a network's subnets.
func (s *Store) forget(ctx context.Context, name string) error {
	return s.changeHost(ctx, func(f *hostFile) error {
		f.Claims = slices.DeleteFunc(f.Claims, func(c claim) bool { return c.is(s.StateDir, name) })
		return nil
	})
}

// readJSON reads a file that may be missing.
func readJSON(path string, v any) error {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = json.Unmarshal(data, v)
	}
	if err != nil && !errors.As(err, new(*fs.PathError)) {
		return fmt.Errorf("%s is damaged: %w", path, err)
	}
	return err
}

func writeJSON(path string, v any) error {
	data, err := json.MarshalIndent(v, "", "\t")
	if err != nil {
		return err
	}
	return atomicfile.WritePath(path, append(data, '\n'), 0o600)
}

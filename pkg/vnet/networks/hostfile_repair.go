package networks

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/sysct/sysct/pkg/guest/spec"
)

// had is what was chosen for a network, nil if nothing was. One that is up keeps what it was
// brought up with when the file is lost: guests that run have addresses of it.
func (s *Store) had(f *hostFile, name string) *claim {
	if c := f.find(s.StateDir, name); c != nil {
		return c
	}
	n, err := s.upAs(name)
	if err != nil || n == nil {
		return nil
	}
	return &claim{StateDir: s.StateDir, Network: name, IPv4: n.IPv4, IPv6: n.IPv6, Auto4: n.IPv4.IsValid(), Auto6: n.IPv6.IsValid()}
}

// withoutHost are the subnets of a network that is up while the host's file is damaged; ok is
// false if it isn't, or has others by its definition.
func (s *Store) withoutHost(name string, def *spec.Network) (c claim, ok bool) {
	had := s.had(&hostFile{}, name)
	if had == nil {
		return c, false
	}
	c = s.wanted(name, def, had)
	lacks6 := c.Auto6 && !c.IPv6.IsValid() && hasIPv6()
	return c, !(c.Auto4 && !c.IPv4.IsValid()) && !lacks6
}

// RepairHost writes the host's file of subnets anew if it is damaged, with those of the
// instance's networks that are up; other instances' come with their next start. The damaged
// one is kept beside it. It says what it did, a line each.
func (s *Store) RepairHost(ctx context.Context) ([]string, error) {
	if _, err := s.readHost(); !errors.Is(err, ErrDamaged) {
		return nil, err
	}
	lock, err := acquire(ctx, filepath.Join(s.HostDir, "networks.lock"))
	if err != nil {
		return nil, fmt.Errorf("cannot lock the host's subnets: %w", err)
	}
	defer lock.Release()
	if _, err := s.readHost(); !errors.Is(err, ErrDamaged) {
		return nil, err // somebody else was faster
	}
	names, err := s.upNames()
	if err != nil {
		return nil, err
	}
	f := &hostFile{Version: hostVersion}
	for _, name := range names {
		def, err := s.Definition(name)
		if err != nil {
			continue // it has no claim without one
		}
		if c, ok := s.withoutHost(name, def); ok {
			f.Claims = append(f.Claims, c)
		}
	}
	if err := os.Rename(s.hostPath(), s.hostPath()+".damaged"); err != nil {
		return nil, fmt.Errorf("cannot put the damaged file of subnets aside: %w", err)
	}
	if err := writeJSON(s.hostPath(), f); err != nil {
		return nil, fmt.Errorf("cannot write the host's subnets: %w", err)
	}
	return []string{fmt.Sprintf("the host's subnets: %d networks", len(f.Claims))}, nil
}

package networks

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"github.com/sysct/sysct/pkg/vnet"
)

// Info is what a network is.
type Info struct {
	vnet.Network
	Up    bool     `json:"up"`    // it was brought up
	Lacks []string `json:"lacks"` // of what it needs when it is up
	File  string   `json:"file"`  // of its definition, which may be missing for the default one
	Error string   `json:"error,omitempty"`
	// Guests are those with addresses, by name; Running has those whose interface is on the
	// bridge.
	Leases  []Lease  `json:"leases"`
	Running []string `json:"running"`
	// Lacking are the leases of guests that run whose host's side of the interface isn't
	// on the bridge, or is down. The store doesn't know which guests run: it leaves it out.
	Lacking []Lease `json:"-"`
}

// Lease is what a guest's interface has on a network.
type Lease struct {
	Guest     string         `json:"guest"`
	Interface string         `json:"interface"`
	MAC       string         `json:"mac,omitempty"`
	Addresses []netip.Prefix `json:"addresses"`
}

// List gives all networks, those with a file that is refused too. It chooses no subnet.
func (s *Store) List(ctx context.Context) ([]Info, error) {
	names, err := s.Names()
	if err != nil {
		return nil, err
	}
	var list []Info
	for _, name := range names {
		info, err := s.Show(ctx, name)
		if err != nil {
			info = &Info{Network: vnet.Network{Name: name, Device: vnet.BridgeName(s.Tag, name)}, File: s.path(name), Error: firstLine(err.Error())}
		}
		list = append(list, *info)
	}
	return list, nil
}

// Show gives one network. Its subnets are the zero values until they are first needed.
func (s *Store) Show(ctx context.Context, name string) (*Info, error) {
	def, err := s.Definition(name)
	if err != nil {
		return nil, err
	}
	n, err := s.chosen(name, def)
	if err != nil {
		return nil, err
	}
	if n == nil {
		v4, v6 := def.Subnets()
		n = s.network(name, def, subnet{Prefix: v4}, subnet{Prefix: v6})
	}
	info := &Info{Network: *n, File: s.path(name), Lacks: []string{}, Leases: []Lease{}, Running: []string{}}
	l, err := s.readLedger()
	if err != nil {
		return nil, err
	}
	for _, e := range l.of(name) {
		info.Leases = append(info.Leases, Lease{e.Guest, e.Interface, e.MAC, e.Addresses})
	}
	return info, s.state(ctx, info)
}

// state fills in what there is of a network on the host.
func (s *Store) state(ctx context.Context, info *Info) error {
	up, err := s.upAs(info.Name)
	if err != nil {
		return err
	}
	info.Up = up != nil
	if up == nil {
		up = &info.Network
	}
	link, err := s.bridge(up)
	if errors.Is(err, ErrConfig) {
		info.Error = firstLine(err.Error())
		return nil
	}
	if err != nil {
		return err
	}
	if info.Up {
		info.Lacks = append(info.Lacks, s.lacks(ctx, up, link)...)
	}
	users, err := s.Users(up)
	info.Running = append(info.Running, users...)
	return err
}

// IsUp says whether a network was brought up, and not taken down since.
func (s *Store) IsUp(name string) bool {
	n, err := s.upAs(name)
	return n != nil || err != nil
}

// Repair brings back what lacks of the networks that were brought up, and says what that
// was, a line each.
func (s *Store) Repair(ctx context.Context) ([]string, error) {
	names, err := s.upNames()
	if err != nil {
		return nil, err
	}
	var repaired []string
	var errs []error
	for _, name := range names {
		done, err := s.repair(ctx, name)
		for _, what := range done {
			repaired = append(repaired, fmt.Sprintf("network %s: %s", name, what))
		}
		errs = append(errs, err)
	}
	return repaired, errors.Join(errs...)
}

func (s *Store) repair(ctx context.Context, name string) ([]string, error) {
	n, err := s.upAs(name)
	if err != nil || n == nil || s.isUp(ctx, n) {
		return nil, err
	}
	return s.up(ctx, n)
}

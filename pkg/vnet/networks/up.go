package networks

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/sysct/sysct/internal/flock"
	"github.com/sysct/sysct/pkg/vnet"
	"github.com/sysct/sysct/pkg/vnet/nft"
)

// Up has all of a network on the host. It can be repeated: it makes what is lacking and
// changes what differs, and is quick if that is nothing.
func (s *Store) Up(ctx context.Context, n *vnet.Network) error {
	if s.isUp(ctx, n) {
		return nil
	}
	_, err := s.up(ctx, n)
	return err
}

// up does what lacks, and says what that was.
func (s *Store) up(ctx context.Context, n *vnet.Network) (done []string, err error) {
	lock, err := s.lock(ctx, n.Name)
	if err != nil {
		return nil, err
	}
	defer lock.Release()
	// Before anything is made: a host without the programs is left as it is.
	if err := s.programs(n); err != nil {
		return nil, err
	}
	link, err := s.bridge(n)
	if err != nil {
		return nil, err
	}
	done = s.lacks(ctx, n, link)
	if err := forwarding(n); err != nil {
		return nil, err
	}
	index, _, err := s.bridgeUp(n)
	if err != nil {
		return nil, err
	}
	s.warnOfRoutes(n, index)
	if err := nft.NetworkUp(ctx, s.Tag, s.RunDir, n); err != nil {
		return nil, err
	}
	d := &dns{s, n}
	return done, d.up(ctx, index)
}

// programs says which program is missing that the network needs.
func (s *Store) programs(n *vnet.Network) error {
	if _, err := nft.Program(); err != nil {
		return as(ErrMissing, "the host has no nft\nhint: apt install dnsmasq-base nftables")
	}
	if !wantsDNS(n) {
		return nil
	}
	_, err := findProgram("dnsmasq")
	return err
}

// Missing says which of the programs the host lacks that a network needs: ErrMissing.
func (s *Store) Missing() error { return s.programs(&vnet.Network{DNS: true}) }

// lock keeps others from bringing the same network up or down.
func (s *Store) lock(ctx context.Context, name string) (*flock.Lock, error) {
	dir := filepath.Join(s.RunDir, ".net")
	if err := makeDir(dir); err != nil {
		return nil, err
	}
	lock, err := acquire(ctx, filepath.Join(dir, "up-"+name+".lock"))
	if err != nil {
		return nil, fmt.Errorf("cannot lock network %s: %w", name, err)
	}
	return lock, nil
}

// patience bounds how long others are waited for: the error says which process it is.
const patience = time.Minute

func acquire(ctx context.Context, path string) (*flock.Lock, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return flock.Acquire(ctx, path, false)
}

// isUp says whether nothing lacks, by asking the kernel and reading a few files: it starts
// no program and takes no lock.
func (s *Store) isUp(ctx context.Context, n *vnet.Network) bool {
	up, err := s.upAs(n.Name)
	if err != nil || up == nil || *up != *n {
		return false
	}
	link, err := s.bridge(n)
	return err == nil && len(s.lacks(ctx, n, link)) == 0
}

// lacks are the parts of a network that aren't there, or aren't as they should be.
func (s *Store) lacks(ctx context.Context, n *vnet.Network, link netlink.Link) []string {
	var list []string
	if !forwards(n) {
		list = append(list, "forwarding")
	}
	if link == nil {
		list = append(list, "bridge "+n.Device)
	} else if !s.isConfigured(link, n) {
		list = append(list, "addresses of bridge "+n.Device)
	}
	if there, err := nft.Present(ctx, s.Tag); err != nil || !there {
		list = append(list, "packet filter table "+nft.TableName(s.Tag))
	}
	d := &dns{s, n}
	if wantsDNS(n) && (link == nil || !d.isFor(link.Attrs().Index, "")) {
		list = append(list, "dnsmasq")
	}
	return list
}

// isConfigured says whether a bridge is as configure leaves it, as far as others may have
// changed it.
func (s *Store) isConfigured(link netlink.Link, n *vnet.Network) bool {
	a := link.Attrs()
	if a.Alias != vnet.NetworkAlias(s.Tag, n.Name) || a.Flags&net.FlagUp == 0 || a.MTU != mtu(n) || a.HardwareAddr.String() != n.MAC {
		return false
	}
	have, err := addresses(link)
	if err != nil {
		return false
	}
	return !slices.ContainsFunc(wantedAddresses(n), func(p netip.Prefix) bool { return !slices.Contains(have, p) })
}

// warnOfRoutes says that the host has got a route to a network's addresses since these were
// chosen: what it is for, or the network, is not reached.
func (s *Store) warnOfRoutes(n *vnet.Network, index int) {
	routes, err := hostRoutes()
	if err != nil {
		return
	}
	if found := collisions(routes, index, n.IPv4, n.IPv6); len(found) > 0 {
		s.warn("network %s collides with a route of the host: %s\nhint: give it another subnet: ipv4 = \"ADDRESS/24\" in %s", n.Name, strings.Join(found, ", "), s.path(n.Name))
	}
}

// upAs is a network as it was brought up; nil: it isn't up.
func (s *Store) upAs(name string) (*vnet.Network, error) {
	path := filepath.Join(s.RunDir, ".net", "networks", name)
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	n := &vnet.Network{}
	if err := readJSON(path, n); err != nil {
		return nil, fmt.Errorf("cannot read what network %s is: %w", name, err)
	}
	return n, nil
}

// upNames are the networks that were brought up and not taken down since.
func (s *Store) upNames() ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(s.RunDir, ".net", "networks"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot list networks that are up: %w", err)
	}
	var names []string
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

package networks

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"

	"github.com/sysct/sysct/internal/flock"
)

const ledgerVersion = 1

// Owner is the interface of a guest that an address is for.
type Owner struct {
	Guest     string // its name
	Interface string // in the guest, as eth0
	MAC       string // of the interface
}

// entry is what one interface has on one network.
type entry struct {
	Network   string         `json:"network"`
	Guest     string         `json:"guest"`
	Interface string         `json:"interface"`
	MAC       string         `json:"mac,omitempty"`
	Addresses []netip.Prefix `json:"addresses"` // with the lengths of the subnets
}

func (e *entry) is(network string, o Owner) bool {
	return e.Network == network && e.Guest == o.Guest && e.Interface == o.Interface
}

// ledger is the content of the file.
type ledger struct {
	Version int     `json:"version"`
	Entries []entry `json:"entries"`

	stale  bool // the file, or its copy, hasn't all of it
	broken bool // the file couldn't be read: all is of the copy
}

func (s *Store) ledgerPath() string { return filepath.Join(s.StateDir, ".net", "ledger.json") }

// readLedger refuses what it doesn't understand: two guests would get the same address. One
// that is lost or damaged is read from its copy. ErrDamaged: there is none either.
func (s *Store) readLedger() (*ledger, error) {
	l := &ledger{Version: ledgerVersion}
	other := s.copied()
	if err := readJSON(s.ledgerPath(), l); err != nil {
		if other == nil {
			return nil, as(ErrDamaged, "cannot read the ledger of addresses: %w\nhint: sysct net repair makes it anew of what running guests have", err)
		}
		l = &ledger{Version: ledgerVersion, stale: true, broken: true}
	}
	if l.Version != ledgerVersion {
		return nil, fmt.Errorf("cannot read the ledger of addresses: %s has version %d, this sysct knows %d", s.ledgerPath(), l.Version, ledgerVersion)
	}
	l.adopt(other)
	return l, nil
}

// changeLedger changes the ledger under its lock, and has the name servers of the networks
// that it changed follow.
func (s *Store) changeLedger(ctx context.Context, change func(*ledger) error) error {
	lock, err := s.lockLedger(ctx)
	if err != nil {
		return err
	}
	defer lock.Release()
	l, err := s.readLedger()
	if err != nil {
		return err
	}
	before := slices.Clone(l.Entries)
	if err := change(l); err != nil {
		return err
	}
	changed := changedNetworks(before, l.Entries)
	if len(changed) == 0 && !l.stale {
		return nil
	}
	if l.broken {
		s.warn("%s was damaged, and is written anew of its copy", s.ledgerPath())
	}
	if err := s.writeLedger(l); err != nil {
		return err
	}
	return s.tellNames(ctx, l, changed)
}

// lockLedger is also for who makes something of the ledger: what is made of an older one
// must not replace what is made of a newer one.
func (s *Store) lockLedger(ctx context.Context) (*flock.Lock, error) {
	if err := makeDir(filepath.Dir(s.ledgerPath())); err != nil {
		return nil, err
	}
	lock, err := acquire(ctx, filepath.Join(s.StateDir, ".net", "ledger.lock"))
	if err != nil {
		return nil, fmt.Errorf("cannot lock the ledger of addresses: %w", err)
	}
	return lock, nil
}

func (l *ledger) sort() {
	slices.SortFunc(l.Entries, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.Network, b.Network), cmp.Compare(a.Guest, b.Guest), cmp.Compare(a.Interface, b.Interface))
	})
}

// of are a network's entries.
func (l *ledger) of(network string) []entry {
	var list []entry
	for _, e := range l.Entries {
		if e.Network == network {
			list = append(list, e)
		}
	}
	return list
}

// changedNetworks are those whose entries differ.
func changedNetworks(before, after []entry) []string {
	var names []string
	for _, pair := range [][2][]entry{{before, after}, {after, before}} {
		for i := range pair[0] {
			e := &pair[0][i]
			same := slices.ContainsFunc(pair[1], func(o entry) bool {
				return o.is(e.Network, Owner{Guest: e.Guest, Interface: e.Interface}) && o.MAC == e.MAC && slices.Equal(o.Addresses, e.Addresses)
			})
			if !same && !slices.Contains(names, e.Network) {
				names = append(names, e.Network)
			}
		}
	}
	return names
}

// release takes all of a guest's out.
func (l *ledger) release(guest string) {
	l.Entries = slices.DeleteFunc(l.Entries, func(e entry) bool { return e.Guest == guest })
}

// rename gives what a guest has to one of another name. It can be repeated.
func (l *ledger) rename(from, to string) {
	if slices.ContainsFunc(l.Entries, func(e entry) bool { return e.Guest == from }) {
		l.release(to)
	}
	for i := range l.Entries {
		if l.Entries[i].Guest == from {
			l.Entries[i].Guest = to
		}
	}
}

// leave takes those interfaces of a guest out that aren't to be kept.
func (l *ledger) leave(guest string, keep []string) {
	l.Entries = slices.DeleteFunc(l.Entries, func(e entry) bool { return e.Guest == guest && !slices.Contains(keep, e.Interface) })
}

// leaveOthers takes an interface out of all networks but one: it is on that now.
func (l *ledger) leaveOthers(network string, o Owner) {
	l.Entries = slices.DeleteFunc(l.Entries, func(e entry) bool { return e.is(e.Network, o) && e.Network != network })
}

// Release frees all that a guest has. It is no error if it has nothing; a ledger that can't
// be read is warned of, and keeps no guest from being destroyed.
func (s *Store) Release(ctx context.Context, guest string) error {
	if _, err := s.readLedger(); err != nil {
		s.warn("addresses of %s are kept: %v", guest, err)
		return nil
	}
	return s.unlessUnknown(ctx, guest, func(l *ledger) error { l.release(guest); return nil })
}

// Rename gives what a guest has to its new name. It can be repeated.
func (s *Store) Rename(ctx context.Context, from, to string) error {
	return s.unlessUnknown(ctx, from, func(l *ledger) error { l.rename(from, to); return nil })
}

// Leave frees what a guest's interfaces have that aren't to be kept.
func (s *Store) Leave(ctx context.Context, guest string, keep []string) error {
	l, err := s.readLedger()
	if errors.Is(err, ErrDamaged) {
		s.warn("addresses that %s has no more are kept: %v", guest, err)
		return nil // a guest without a network needs no ledger to start
	}
	if err != nil {
		return err
	}
	goes := func(e entry) bool { return e.Guest == guest && !slices.Contains(keep, e.Interface) }
	if !slices.ContainsFunc(l.Entries, goes) {
		return nil // nearly always: nobody is waited for
	}
	return s.changeLedger(ctx, func(l *ledger) error { l.leave(guest, keep); return nil })
}

// unlessUnknown changes the ledger if it has something of the guest's: neither file nor
// lock is made for one that hasn't.
func (s *Store) unlessUnknown(ctx context.Context, guest string, change func(*ledger) error) error {
	l, err := s.readLedger()
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(l.Entries, func(e entry) bool { return e.Guest == guest }) {
		return nil
	}
	return s.changeLedger(ctx, change)
}

// Owners are the guests that have addresses, sorted.
func (s *Store) Owners() ([]string, error) {
	l, err := s.readLedger()
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range l.Entries {
		names = append(names, e.Guest)
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

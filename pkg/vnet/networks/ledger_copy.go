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
	"reflect"
	"slices"

	"github.com/sysct/sysct/internal/atomicfile"
)

// ErrDamaged is a ledger that can't be read, and that there is no copy of, or a host's file
// of subnets; the error says what to do.
var ErrDamaged = errors.New("a file of networks is damaged")

// Held is what a guest that runs has on a network; "" is the network of routed interfaces.
type Held struct {
	Owner
	Network   string
	Addresses []netip.Prefix
}

// copyPath is a copy of the ledger in the run directory: what guests that run have is known
// as long as they may run, whatever becomes of the ledger.
func (s *Store) copyPath() string { return filepath.Join(s.RunDir, ".net", "addresses.json") }

// copied is the copy, nil if there is none that can be read.
func (s *Store) copied() *ledger {
	if _, err := os.Lstat(s.copyPath()); err != nil {
		return nil
	}
	l := &ledger{Version: ledgerVersion}
	if err := readJSON(s.copyPath(), l); err != nil || l.Version != ledgerVersion {
		return nil
	}
	return l
}

// adopt takes in what the copy has. It is written first, so it is never older: what the
// ledger lacks, or has otherwise, is of a ledger that was lost or brought back from a backup.
func (l *ledger) adopt(other *ledger) {
	if other == nil {
		l.stale = true
		return
	}
	before := slices.Clone(l.Entries)
	for i := range other.Entries {
		e := &other.Entries[i]
		o := Owner{Guest: e.Guest, Interface: e.Interface}
		l.Entries = slices.DeleteFunc(l.Entries, func(old entry) bool { return old.is(e.Network, o) })
	}
	l.Entries = append(l.Entries, other.Entries...)
	l.sort()
	l.stale = l.stale || len(l.Entries) != len(other.Entries) || !sameEntries(before, l.Entries)
}

func sameEntries(a, b []entry) bool {
	return slices.EqualFunc(a, b, func(a, b entry) bool { return reflect.DeepEqual(a, b) })
}

// writeLedger writes the copy before the ledger.
func (s *Store) writeLedger(l *ledger) error {
	l.sort()
	if err := makeDir(filepath.Dir(s.copyPath())); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(s.copyPath()))
	if err != nil {
		return err
	}
	defer dir.Close()
	data, err := json.MarshalIndent(l, "", "\t")
	if err == nil {
		err = atomicfile.WriteVolatile(int(dir.Fd()), filepath.Base(s.copyPath()), append(data, '\n'), 0o600)
	}
	if err == nil {
		err = writeJSON(s.ledgerPath(), l)
	}
	if err != nil {
		return fmt.Errorf("cannot write the ledger of addresses: %w", err)
	}
	return nil
}

// RepairLedger writes the ledger anew if it is lost or damaged: of its copy or, if there is
// none either, of what the guests that run have. A damaged one is kept beside it. It says
// what it did, a line each.
func (s *Store) RepairLedger(ctx context.Context, running func() ([]Held, error)) ([]string, error) {
	l, err := s.readLedger()
	damaged := errors.Is(err, ErrDamaged)
	if err != nil && !damaged {
		return nil, err
	}
	_, missing := os.Lstat(s.ledgerPath())
	lost := errors.Is(missing, fs.ErrNotExist)
	if !damaged && !lost && !l.broken || lost && !s.wasUp() {
		return nil, nil
	}
	var held []Held
	if s.copied() == nil {
		if held, err = running(); err != nil {
			return nil, err
		}
	}
	return s.rebuild(ctx, held)
}

// wasUp says whether a network was brought up since the host's boot: else no guest has an
// address.
func (s *Store) wasUp() bool {
	names, err := s.upNames()
	return err != nil || len(names) > 0 || s.copied() != nil
}

func (s *Store) rebuild(ctx context.Context, held []Held) ([]string, error) {
	lock, err := s.lockLedger(ctx)
	if err != nil {
		return nil, err
	}
	defer lock.Release()
	l, err := s.readLedger() // somebody else may have been faster
	if err != nil && !errors.Is(err, ErrDamaged) {
		return nil, err
	}
	if l == nil || l.broken {
		if err := os.Rename(s.ledgerPath(), s.ledgerPath()+".damaged"); err != nil {
			return nil, fmt.Errorf("cannot put the damaged ledger of addresses aside: %w", err)
		}
	}
	if l == nil {
		l = &ledger{Version: ledgerVersion}
	}
	for _, h := range held {
		if !slices.ContainsFunc(l.Entries, func(e entry) bool { return e.is(h.Network, h.Owner) }) {
			l.Entries = append(l.Entries, entry{h.Network, h.Guest, h.Interface, h.MAC, h.Addresses})
		}
	}
	if len(l.Entries) == 0 {
		if _, err := os.Lstat(s.ledgerPath() + ".damaged"); err != nil {
			return nil, nil // there was none, and none is needed
		}
	}
	if err := s.writeLedger(l); err != nil {
		return nil, err
	}
	names, err := s.upNames()
	if err == nil {
		err = s.tellNames(ctx, l, names)
	}
	return []string{fmt.Sprintf("ledger of addresses: %d interfaces", len(l.Entries))}, err
}

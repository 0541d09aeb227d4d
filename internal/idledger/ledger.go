package idledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/sysct/sysct/internal/atomicfile"
	"github.com/sysct/sysct/internal/flock"
)

// DefaultDir is where the host's ledger is. All instances share it.
const DefaultDir = "/var/lib/sysct/.host"

// Size is the number of ids of a guest: 0..65535, what nobody (65534) needs.
const Size = 1 << 16

// NestingSize is the number of ids of a guest that hands out ranges of Size itself, and
// that has those which systemd-nspawn takes: from 524288 on.
const NestingSize = 16 * Size

// version of the file's schema.
const version = 1

// ErrFull means that no range is free.
var ErrFull = errors.New("no free id range")

// Entry is one guest's range.
type Entry struct {
	Base  uint32 `json:"base"`
	Size  uint32 `json:"size"`
	Guest string `json:"guest"` // absolute path of the guest's directory
}

type file struct {
	Version int     `json:"version"`
	Entries []Entry `json:"entries"`
}

// Ledger is the file and the ranges that it hands out from.
type Ledger struct {
	Dir   string
	Pools []Range // empty: the host's subordinate ids, when they are first needed
}

// Open gives the host's ledger over the host's subordinate ids. dir is
// DefaultDir but for tests.
func Open(dir string) *Ledger { return &Ledger{Dir: dir} }

// pools are the ranges to hand out from.
func (l *Ledger) pools() ([]Range, error) {
	if len(l.Pools) > 0 {
		return l.Pools, nil
	}
	pools, err := hostPools("/etc/subuid", "/etc/subgid")
	if err != nil {
		return nil, err
	}
	return within(pools, ownIDs()), nil
}

// Allocate gives the guest a range of Size ids; see AllocateSize.
func (l *Ledger) Allocate(ctx context.Context, guest string) (Entry, error) {
	return l.AllocateSize(ctx, guest, Size)
}

// AllocateSize gives the guest a range of size ids; a guest that has one at least as large
// keeps it, and one that has a smaller one has both, until Settle. No
// entry is dropped for it: a guest whose directory isn't to be seen may be on a
// file system that is away for a moment. See Prune.
func (l *Ledger) AllocateSize(ctx context.Context, guest string, size uint32) (Entry, error) {
	var got Entry
	err := l.update(ctx, func(f *file) (err error) {
		got, err = l.find(f, guest, size)
		if err == nil && !slices.Contains(f.Entries, got) {
			f.Entries = append(f.Entries, got)
		}
		return err
	})
	return got, err
}

// find gives the guest's range of at least size ids, or one that is free.
func (l *Ledger) find(f *file, guest string, size uint32) (Entry, error) {
	if i := slices.IndexFunc(f.Entries, func(e Entry) bool { return e.Guest == guest && e.Size >= size }); i >= 0 {
		return f.Entries[i], nil
	}
	pools, err := l.pools()
	if err != nil {
		return Entry{}, err
	}
	base, ok := firstFree(pools, f.Entries, uint64(size))
	if !ok {
		return Entry{}, fmt.Errorf("cannot allocate %d ids for %s: %w, %d in use%s", size, guest, ErrFull, len(f.Entries), outerHint(ownIDs(), size))
	}
	return Entry{Base: base, Size: size, Guest: guest}, nil
}

// Settle drops all ranges of the guest but the one that it has by its own account.
func (l *Ledger) Settle(ctx context.Context, guest string, base uint32) error {
	return l.update(ctx, func(f *file) error {
		f.Entries = slices.DeleteFunc(f.Entries, func(e Entry) bool { return e.Guest == guest && e.Base != base })
		return nil
	})
}

// Claim takes the range that a guest has by its own account, as a start does: the
// ledger may have lost it, or the directory be a copy of another guest's. An
// *OverlapError names the guest that has some of it.
func (l *Ledger) Claim(ctx context.Context, guest string, base, size uint32) error {
	return l.update(ctx, func(f *file) error {
		mine := Entry{Base: base, Size: size, Guest: guest}
		if base < lowest {
			return fmt.Errorf("cannot claim ids %s: those below %d are the host's", mine, lowest)
		}
		for _, e := range f.Entries {
			if e.Guest != guest && overlap(e, mine) {
				return &OverlapError{Ids: mine, Other: e}
			}
		}
		if !slices.Contains(f.Entries, mine) {
			f.Entries = append(f.Entries, mine)
		}
		return nil
	})
}

// lowest is below every range that is handed out, and above the host's own users.
const lowest = 65536

// OverlapError is a range that two guests have.
type OverlapError struct{ Ids, Other Entry }

func (e *OverlapError) Error() string {
	return fmt.Sprintf("cannot claim ids %s: guest %s has %s", e.Ids, e.Other.Guest, e.Other)
}

func overlap(a, b Entry) bool {
	return uint64(a.Base) < uint64(b.Base)+uint64(b.Size) && uint64(b.Base) < uint64(a.Base)+uint64(a.Size)
}

// Prune drops the entries of guests of one state directory that are gone, and
// says which. The directory is there: the caller has just listed it.
func (l *Ledger) Prune(ctx context.Context, stateDir string, dry bool) ([]Entry, error) {
	var gone []Entry
	err := l.update(ctx, func(f *file) error {
		kept := slices.DeleteFunc(slices.Clone(f.Entries), func(e Entry) bool {
			drop := filepath.Dir(e.Guest) == stateDir && absent(e)
			if drop {
				gone = append(gone, e)
			}
			return drop
		})
		if !dry {
			f.Entries = kept
		}
		return nil
	})
	return gone, err
}

// Free returns the guest's range. It is no error if it has none.
func (l *Ledger) Free(ctx context.Context, guest string) error {
	return l.update(ctx, func(f *file) error {
		f.Entries = slices.DeleteFunc(f.Entries, func(e Entry) bool { return e.Guest == guest })
		return nil
	})
}

// Rename notes the range of a guest under another name. It can be repeated, and does
// not need the old entry. An *OverlapError names the guest that has some of it.
func (l *Ledger) Rename(ctx context.Context, from, to string, base, size uint32) error {
	return l.update(ctx, func(f *file) error {
		mine := Entry{Base: base, Size: size, Guest: to}
		kept := slices.DeleteFunc(slices.Clone(f.Entries), func(e Entry) bool { return e.Guest == from || e.Guest == to })
		for _, e := range kept {
			if overlap(e, mine) {
				return &OverlapError{Ids: mine, Other: e}
			}
		}
		f.Entries = append(kept, mine)
		return nil
	})
}

// update changes the file under the host's lock.
func (l *Ledger) update(ctx context.Context, change func(*file) error) error {
	if err := os.MkdirAll(l.Dir, 0o700); err != nil {
		return fmt.Errorf("cannot make id ledger: %w", err)
	}
	lock, err := flock.Acquire(ctx, filepath.Join(l.Dir, "ids.lock"), false)
	if err != nil {
		return fmt.Errorf("cannot lock id ledger: %w", err)
	}
	defer lock.Release()
	path := filepath.Join(l.Dir, "ids.json")
	f, old, err := read(path)
	if err != nil {
		return err
	}
	if err := change(f); err != nil {
		return err
	}
	data, err := json.MarshalIndent(f, "", "\t")
	if err != nil {
		return fmt.Errorf("cannot write id ledger: %w", err)
	}
	if string(data) == string(old) {
		return nil
	}
	return atomicfile.WritePath(path, data, 0o600)
}

// read refuses a ledger that it does not understand: handing out ids without it
// would give two guests the same.
func read(path string) (*file, []byte, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &file{Version: version}, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("cannot read id ledger: %w", err)
	}
	f := &file{}
	if err := json.Unmarshal(data, f); err != nil {
		return nil, nil, fmt.Errorf("cannot read id ledger %s: %w", path, err)
	}
	if f.Version != version {
		return nil, nil, fmt.Errorf("cannot read id ledger %s: version %d, this sysct knows %d", path, f.Version, version)
	}
	return f, data, nil
}

// Building is where a guest's directory is while it is made: it has its ids
// before it has its name.
func Building(guest string) string {
	return filepath.Join(filepath.Dir(guest), ".new-"+filepath.Base(guest))
}

// Removing is where a guest's directory is while it is removed.
func Removing(guest string) string {
	return filepath.Join(filepath.Dir(guest), ".del-"+filepath.Base(guest))
}

// Renaming is a mark that is there while a guest gets another name: its ids may be
// noted under either.
func Renaming(guest string) string {
	return filepath.Join(filepath.Dir(guest), ".ren-"+filepath.Base(guest))
}

// Seen says whether there is anything of the entry's guest, on its way in or out too. If
// there isn't, it may be on a file system that is away for a moment.
func (e Entry) Seen() bool {
	_, err := os.Lstat(Removing(e.Guest))
	return err == nil || !absent(e)
}

func absent(e Entry) bool {
	for _, path := range []string{Building(e.Guest), Renaming(e.Guest), e.Guest} {
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			return false
		}
	}
	return true
}

package idledger

import "path/filepath"

// Count gives the ranges that are in use and how many are left to allocate. It makes
// nothing and waits for nobody: the file is replaced whole.
func (l *Ledger) Count() (used []Entry, left int, err error) {
	f, _, err := read(filepath.Join(l.Dir, "ids.json"))
	if err != nil {
		return nil, 0, err
	}
	pools, err := l.pools()
	if err != nil {
		return nil, 0, err
	}
	return f.Entries, leftIn(pools, f.Entries), nil
}

// Room says whether AllocateSize would give the guest a range: ErrFull. It makes nothing
// and waits for nobody.
func (l *Ledger) Room(guest string, size uint32) error {
	f, _, err := read(filepath.Join(l.Dir, "ids.json"))
	if err == nil {
		_, err = l.find(f, guest, size)
	}
	return err
}

// leftIn counts the ranges of the pools that no entry is in.
func leftIn(pools []Range, used []Entry) int {
	left := 0
	for _, p := range pools {
		left += int((p.End - p.Base) / Size)
		for _, e := range used {
			if uint64(e.Base) < p.End && p.Base < uint64(e.Base)+uint64(e.Size) {
				left--
			}
		}
	}
	return max(0, left)
}

// Configured says whether the ranges are those that the host's administrator gave
// root or sysct in /etc/subuid.
func Configured() bool {
	own, _, err := readSub("/etc/subuid")
	return err == nil && len(own) > 0
}

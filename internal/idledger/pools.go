package idledger

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
)

// Range is a range of ids, [Base, End).
type Range struct{ Base, End uint64 }

// The pool of a host that has set aside none for sysct: above the ranges that
// distributions hand to users by themselves, below the ids that are signed.
const (
	defaultBase = 1_000_000
	defaultEnd  = 2_000_000_000
)

// hostPools gives the ranges that both files give to root or sysct; without any,
// the default pool less what the files give to others. Source: subuid(5).
func hostPools(subuid, subgid string) ([]Range, error) {
	ownU, othersU, err := readSub(subuid)
	if err != nil {
		return nil, err
	}
	ownG, othersG, err := readSub(subgid)
	if err != nil {
		return nil, err
	}
	var pools []Range
	for _, u := range ownU {
		for _, g := range ownG {
			if r := (Range{max(u.Base, g.Base), min(u.End, g.End)}); r.End >= r.Base+Size {
				pools = append(pools, r)
			}
		}
	}
	if len(pools) > 0 {
		return pools, nil
	}
	pools = []Range{{defaultBase, defaultEnd}}
	for _, taken := range append(othersU, othersG...) {
		pools = subtract(pools, taken)
	}
	return pools, nil
}

// readSub splits a file's ranges into ours and others'. A missing file has none.
func readSub(path string) (own, others []Range, err error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("cannot read subordinate ids: %w", err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		fields := strings.Split(strings.TrimSpace(lines.Text()), ":")
		if len(fields) != 3 {
			continue
		}
		base, err1 := strconv.ParseUint(fields[1], 10, 32)
		size, err2 := strconv.ParseUint(fields[2], 10, 32)
		if err1 != nil || err2 != nil || base == 0 {
			continue
		}
		r := Range{base, min(base+size, 1<<32-1)}
		if fields[0] == "root" || fields[0] == "sysct" || fields[0] == "0" {
			own = append(own, r)
		} else {
			others = append(others, r)
		}
	}
	return own, others, lines.Err()
}

// subtract takes a range out of the pools.
func subtract(pools []Range, taken Range) []Range {
	var left []Range
	for _, p := range pools {
		if taken.End <= p.Base || taken.Base >= p.End {
			left = append(left, p)
			continue
		}
		if taken.Base > p.Base {
			left = append(left, Range{p.Base, taken.Base})
		}
		if taken.End < p.End {
			left = append(left, Range{taken.End, p.End})
		}
	}
	return left
}

// firstFree gives the lowest base in the pools whose size ids no entry touches.
func firstFree(pools []Range, entries []Entry, size uint64) (uint32, bool) {
	used := slices.Clone(entries)
	slices.SortFunc(used, func(a, b Entry) int { return int(int64(a.Base) - int64(b.Base)) })
	for _, p := range pools {
		base := p.Base
		for _, e := range used {
			if uint64(e.Base) < base+size && uint64(e.Base)+uint64(e.Size) > base {
				base = uint64(e.Base) + uint64(e.Size)
			}
		}
		if base+size <= p.End {
			return uint32(base), true
		}
	}
	return 0, false
}

// String is the entry's range for messages.
func (e Entry) String() string {
	return strconv.FormatUint(uint64(e.Base), 10) + "+" + strconv.FormatUint(uint64(e.Size), 10)
}

package idledger

import (
	"fmt"
	"os"
	"strings"
)

// allIDs is what the host itself has.
const allIDs = 1<<32 - 1

// ownIDs is how many ids, from 0 on, the namespace has that this program runs in: fewer
// than all in a guest. Source: user_namespaces(7).
func ownIDs() uint64 {
	least := uint64(allIDs)
	for _, path := range []string{"/proc/self/uid_map", "/proc/self/gid_map"} {
		text, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		least = min(least, fromZero(string(text)))
	}
	return least
}

// fromZero is how many ids a map has without a gap.
func fromZero(text string) uint64 {
	end := uint64(0)
	for line := range strings.Lines(text) {
		var inside, outside, size uint64
		if n, _ := fmt.Sscan(line, &inside, &outside, &size); n == 3 && inside == end {
			end += size
		}
	}
	return end
}

// within is the part of the pools that is there at all: in a guest that has fewer ids than
// the pools begin with, all of its own but the first range, which its own users have.
func within(pools []Range, own uint64) []Range {
	if own >= allIDs {
		return pools
	}
	var left []Range
	for _, p := range pools {
		if p.End = min(p.End, own); p.End >= p.Base+Size {
			left = append(left, p)
		}
	}
	if len(left) == 0 && own >= 2*Size {
		left = []Range{{Size, own}}
	}
	return left
}

// outerHint says what to do where there are too few ids for a range of size because this is
// a guest, which has own ids.
func outerHint(own uint64, size uint32) string {
	switch {
	case own >= allIDs:
		return ""
	case size > Size: // what nesting gives has no room for as much again
		return fmt.Sprintf("\nhint: nesting isn't possible two levels deep: this system is a guest with %d ids itself, do without nesting = true here", own)
	case own >= NestingSize:
		return fmt.Sprintf("\nhint: this system is a guest with %d ids itself, and nesting gives it no more: destroy guests that aren't needed", own)
	}
	return fmt.Sprintf("\nhint: this system is a guest with %d ids itself: if its host runs sysct, nesting = true in its configuration gives it more", own)
}

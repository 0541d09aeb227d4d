package figures

import (
	"bytes"

	"github.com/sysct/sysct/pkg/views"
)

func (s *Source) memoryV1(u *views.MemoryUse) {
	m := &s.memory
	u.Current = number(s.reader.read(m.current))
	swappiness := s.reader.read(m.swappiness)
	noSwap := len(swappiness) > 0 && number(swappiness) == 0
	limitWithSwap := parseMemoryV1(s.reader.read(m.stat), u)
	if limitWithSwap >= u.Limit && limitWithSwap < unlimitedV1 {
		u.SwapLimit = limitWithSwap - u.Limit
	}
	if noSwap {
		u.SwapLimit = u.SwapUsed
	}
}

// unlimitedV1 is what v1 shows for no limit, and any number above: the largest
// whole number of pages in 63 bits, which differs by the page size.
const unlimitedV1 = 1 << 62

// parseMemoryV1 reads memory.stat of v1, and gives the limit of memory and swap
// together. The figures without "total_" are those of the group alone, without
// what is below it. Source: Documentation/admin-guide/cgroup-v1/memory.rst.
func parseMemoryV1(text []byte, u *views.MemoryUse) (withSwap uint64) {
	t := &u.Stat
	withSwap = views.None
	keyed(text, func(key []byte, n uint64) {
		total, isTotal := bytes.CutPrefix(key, []byte("total_"))
		if !isTotal {
			switch string(key) {
			case "hierarchical_memory_limit":
				u.Limit = n
			case "hierarchical_memsw_limit":
				withSwap = n
			}
			return
		}
		switch string(total) {
		case "cache":
			u.File = n
		case "rss":
			t.Anon = n
		case "rss_huge":
			t.AnonHuge = n
		case "shmem":
			t.Shmem = n
		case "mapped_file":
			t.Mapped = n
		case "dirty":
			t.Dirty = n
		case "writeback":
			t.Writeback = n
		case "swap":
			u.SwapUsed = n
		case "swapcached":
			u.SwapCached = n
		default:
			lists(total, n, t)
		}
	})
	return withSwap
}

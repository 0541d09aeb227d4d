package limits

import "strings"

// Memory is a guest's memory, in bytes.
type Memory struct {
	Current int64  // memory.current, memory.usage_in_bytes: page cache included
	Peak    *int64 // the most that Current has been; nil before Linux 5.19 on v2
	Max     *int64 // nil is no limit
	High    *int64 // above it the guest is slowed; nil is no such limit, or v1
	Min     *int64 // is never taken from it; nil if there is no such promise, or on v1

	Swap    *int64 // nil: swap isn't counted
	SwapMax *int64 // nil is no limit

	// What Current is: the processes' own memory, that of files, the kernel's for the
	// guest, and of that what is in slabs. nil: not wanted, or not counted (Slab on v1).
	Anon, File, Kernel, Slab *int64

	// How often High (HighHits; nil on v1) and Max (MaxHits) were met, how often there was
	// nothing left to give back (OOMs; nil on v1), and how many processes the kernel
	// killed for it.
	HighHits, MaxHits, OOMs *int64
	OOMKills                int64
}

// unlimitedV1 is below what v1 shows for no limit (the largest whole number of
// pages) and above any memory there is.
const unlimitedV1 = 1 << 62

func (f Files) memory(want Want) (*Memory, error) {
	read, v1 := f.of("memory")
	if v1 {
		return memoryV1(read, want)
	}
	return memoryV2(read, want)
}

// memoryV2 reads a v2 group; nil if the controller is not enabled there.
func memoryV2(read ReadFunc, want Want) (*Memory, error) {
	current, err := optional(number(read, "memory.current"))
	if current == nil || err != nil {
		return nil, err
	}
	m := &Memory{Current: *current}
	err = figures(read, figure{"memory.peak", &m.Peak}, figure{"memory.max", &m.Max}, figure{"memory.high", &m.High},
		figure{"memory.min", &m.Min}, figure{"memory.swap.current", &m.Swap}, figure{"memory.swap.max", &m.SwapMax})
	if err != nil {
		return nil, err
	}
	m.Min = nonZero(m.Min)
	events, err := keys(read, "memory.events")
	if err != nil {
		return nil, err
	}
	if m.OOMKills, err = events.value("oom_kill"); err != nil {
		return nil, err
	}
	m.HighHits, m.MaxHits, m.OOMs = events.get("high"), events.get("max"), events.get("oom")
	if !want.Has(WantDetail) {
		return m, nil
	}
	stat, err := keys(read, "memory.stat")
	m.Anon, m.File, m.Kernel, m.Slab = stat.get("anon"), stat.get("file"), stat.get("kernel"), stat.get("slab")
	return m, err
}

// memoryV1 reads a group of the v1 memory hierarchy; nil if the guest has none there.
func memoryV1(read ReadFunc, want Want) (*Memory, error) {
	current, err := optional(number(read, "memory.usage_in_bytes"))
	if current == nil || err != nil {
		return nil, err
	}
	m := &Memory{Current: *current}
	err = figures(read, figure{"memory.limit_in_bytes", &m.Max}, figure{"memory.max_usage_in_bytes", &m.Peak},
		figure{"memory.failcnt", &m.MaxHits})
	if err != nil {
		return nil, err
	}
	m.Max = limited(m.Max)
	if want.Has(WantDetail) {
		if err := m.detailV1(read); err != nil {
			return nil, err
		}
	}
	if err := m.swapV1(read); err != nil {
		return nil, err
	}
	control, err := keys(read, "memory.oom_control")
	if err != nil {
		return nil, err
	}
	m.OOMKills, err = control.value("oom_kill")
	return m, err
}

// swapV1 reads what isn't known of swap yet. v1 has files for memory and swap together.
func (m *Memory) swapV1(read ReadFunc) error {
	var both, bothMax *int64
	if m.Swap == nil {
		if err := figures(read, figure{"memory.memsw.usage_in_bytes", &both}); err != nil {
			return err
		}
		m.Swap = lessOf(both, &m.Current) // two files can't be read at one moment
	}
	if m.Swap == nil || m.Max == nil {
		return nil
	}
	err := figures(read, figure{"memory.memsw.limit_in_bytes", &bothMax})
	m.SwapMax = lessOf(limited(bothMax), m.Max)
	return err
}

func (m *Memory) detailV1(read ReadFunc) error {
	stat, err := keys(read, "memory.stat")
	if err != nil {
		return err
	}
	// The totals come late in the file, after the group's own.
	if i := strings.Index(stat.text, "\ntotal_"); i >= 0 {
		stat.text = stat.text[i+1:]
	}
	m.Anon, m.File, m.Swap = stat.get("total_rss"), stat.get("total_cache"), stat.get("total_swap")
	return figures(read, figure{"memory.kmem.usage_in_bytes", &m.Kernel})
}

// limited is nil for v1's figure of no limit.
func limited(n *int64) *int64 {
	if n != nil && *n >= unlimitedV1 {
		return nil
	}
	return n
}

func nonZero(n *int64) *int64 {
	if n != nil && *n == 0 {
		return nil
	}
	return n
}

// lessOf is a-b, at least 0; nil if either is.
func lessOf(a, b *int64) *int64 {
	if a == nil || b == nil {
		return nil
	}
	d := max(*a-*b, 0)
	return &d
}

package views

import "math"

// None is the limit of what has no limit.
const None = uint64(math.MaxUint64)

// Memory is the guest's memory and swap, in bytes. [NewMemory] makes it so that
// 0 <= Free <= Available <= Total, Total > 0, SwapFree <= SwapTotal, and no figure
// is above Total.
type Memory struct {
	Total, Free, Available, Cached  uint64
	SwapTotal, SwapFree, SwapCached uint64
	Zswap, Zswapped                 uint64
	MemoryStat
}

// MemoryStat has the figures that are shown as the kernel has them: those of
// memory.stat, of which version 1 lacks some.
type MemoryStat struct {
	Shmem, Mapped, Dirty, Writeback                    uint64
	ActiveAnon, InactiveAnon, ActiveFile, InactiveFile uint64
	Unevictable, Anon, AnonHuge, FileHuge, ShmemHuge   uint64
	SlabReclaimable, SlabUnreclaimable                 uint64
	KernelStack, PageTables, SecPageTables, Percpu     uint64
}

// MemoryUse is what the kernel says of the memory of the guest's group.
type MemoryUse struct {
	Host, HostSwap      uint64 // what the host has
	Limit, Current      uint64 // the least limit of the group and those above; None is no limit
	SwapLimit, SwapUsed uint64 // of swap alone; None is no limit
	File                uint64 // page cache
	SwapCached          uint64
	Zswap, Zswapped     uint64
	Stat                MemoryStat
}

// NewMemory gives the figures a meaning. The files of a group aren't read at one
// moment, so their sums may be off: whatever doesn't fit is cut.
func NewMemory(u MemoryUse) Memory {
	m := Memory{Total: max(1<<10, min(u.Limit, u.Host))}
	m.Free = less(m.Total, u.Current)
	used := m.Total - m.Free
	m.MemoryStat = u.Stat.within(used)
	// procps takes cache and reclaimable slab off what is used.
	m.Cached = min(u.File, used-m.SlabReclaimable)
	m.Available = min(m.Total, m.Free+m.ActiveFile+m.InactiveFile+m.SlabReclaimable)
	m.SwapTotal = min(u.SwapLimit, u.HostSwap)
	m.SwapFree = less(m.SwapTotal, u.SwapUsed)
	m.SwapCached = min(u.SwapCached, m.SwapTotal-m.SwapFree, m.Cached)
	m.Zswap, m.Zswapped = min(u.Zswap, used), min(u.Zswapped, m.SwapTotal-m.SwapFree)
	return m
}

// within cuts every figure to what the guest uses at all.
func (s MemoryStat) within(used uint64) MemoryStat {
	for _, n := range []*uint64{
		&s.Shmem, &s.Mapped, &s.Dirty, &s.Writeback, &s.ActiveAnon, &s.InactiveAnon, &s.ActiveFile, &s.InactiveFile,
		&s.Unevictable, &s.Anon, &s.AnonHuge, &s.FileHuge, &s.ShmemHuge, &s.SlabReclaimable, &s.SlabUnreclaimable,
		&s.KernelStack, &s.PageTables, &s.SecPageTables, &s.Percpu,
	} {
		*n = min(*n, used)
	}
	return s
}

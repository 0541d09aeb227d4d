package figures

import (
	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/views"
)

// memory has the files of the memory controller, of either version.
type memory struct {
	v1            bool
	current, stat file
	max           []file // of the group and those above it (v2)
	swapCurrent   file
	swapMax       []file // likewise (v2)
	swappiness    file   // v1
}

func (m *memory) close() {
	for _, f := range append(append([]file{m.current, m.stat, m.swapCurrent, m.swappiness}, m.max...), m.swapMax...) {
		f.close()
	}
}

func (s *Source) openMemory() (err error) {
	dir, v1 := s.config.Groups.Of("memory")
	m := &s.memory
	if m.v1 = v1; v1 {
		return openAll(dir, map[string]*file{
			"memory.usage_in_bytes": &m.current, "memory.stat": &m.stat,
			"memory.swappiness": &m.swappiness,
		})
	}
	if err := openAll(dir, map[string]*file{
		"memory.current": &m.current, "memory.stat": &m.stat, "memory.swap.current": &m.swapCurrent,
	}); err != nil {
		return err
	}
	if m.max, err = openUp(dir, "memory.max"); err != nil {
		return err
	}
	m.swapMax, err = openUp(dir, "memory.swap.max")
	return err
}

func (s *Source) memoryUse() views.MemoryUse {
	u := views.MemoryUse{Limit: views.None, SwapLimit: views.None}
	var host unix.Sysinfo_t
	if unix.Sysinfo(&host) == nil {
		u.Host, u.HostSwap = uint64(host.Totalram)*uint64(host.Unit), uint64(host.Totalswap)*uint64(host.Unit)
	}
	if s.memory.v1 {
		s.memoryV1(&u)
	} else {
		s.memoryV2(&u)
	}
	return u
}

func (s *Source) memoryV2(u *views.MemoryUse) {
	m := &s.memory
	u.Current, u.SwapUsed = number(s.reader.read(m.current)), number(s.reader.read(m.swapCurrent))
	u.Limit, u.SwapLimit = s.least(m.max), s.least(m.swapMax)
	parseMemoryV2(s.reader.read(m.stat), u)
}

// least is the least of the limits in some files.
func (s *Source) least(files []file) uint64 {
	n := views.None
	for _, f := range files {
		if text := s.reader.read(f); len(text) > 0 {
			n = min(n, number(text))
		}
	}
	return n
}

// parseMemoryV2 reads memory.stat. Source: Documentation/admin-guide/cgroup-v2.rst.
func parseMemoryV2(text []byte, u *views.MemoryUse) {
	t := &u.Stat
	keyed(text, func(key []byte, n uint64) {
		switch string(key) {
		case "anon":
			t.Anon = n
		case "file":
			u.File = n
		case "kernel_stack":
			t.KernelStack = n
		case "pagetables":
			t.PageTables = n
		case "sec_pagetables":
			t.SecPageTables = n
		case "percpu":
			t.Percpu = n
		case "shmem":
			t.Shmem = n
		case "zswap":
			u.Zswap = n
		case "zswapped":
			u.Zswapped = n
		case "file_mapped":
			t.Mapped = n
		case "file_dirty":
			t.Dirty = n
		case "file_writeback":
			t.Writeback = n
		case "swapcached":
			u.SwapCached = n
		case "anon_thp":
			t.AnonHuge = n
		case "file_thp":
			t.FileHuge = n
		case "shmem_thp":
			t.ShmemHuge = n
		case "slab_reclaimable":
			t.SlabReclaimable = n
		case "slab_unreclaimable":
			t.SlabUnreclaimable = n
		default:
			lists(key, n, t)
		}
	})
}

// lists sets the kernel's lists of pages, of the same names in both versions.
func lists(key []byte, n uint64, t *views.MemoryStat) {
	switch string(key) {
	case "inactive_anon":
		t.InactiveAnon = n
	case "active_anon":
		t.ActiveAnon = n
	case "inactive_file":
		t.InactiveFile = n
	case "active_file":
		t.ActiveFile = n
	case "unevictable":
		t.Unevictable = n
	}
}

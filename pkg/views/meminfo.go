package views

// meminfoDigits holds the kB of any machine, and keeps each line's length.
const meminfoDigits = 12

// Meminfo renders /proc/meminfo: the lines of Linux 6.18 on x86 in their order,
// but for DirectMap, which is the host's. What a guest has no figure of is 0.
// Source: fs/proc/meminfo.c, meminfo_proc_show.
func Meminfo(b []byte, s *Snapshot) []byte {
	m := &s.Memory
	active, inactive := min(m.Total, m.ActiveAnon+m.ActiveFile), min(m.Total, m.InactiveAnon+m.InactiveFile)
	b = kB(b, "MemTotal:", m.Total)
	b = kB(b, "MemFree:", m.Free)
	b = kB(b, "MemAvailable:", m.Available)
	b = kB(b, "Buffers:", 0)
	b = kB(b, "Cached:", m.Cached)
	b = kB(b, "SwapCached:", m.SwapCached)
	b = kB(b, "Active:", active)
	b = kB(b, "Inactive:", inactive)
	b = kB(b, "Active(anon):", m.ActiveAnon)
	b = kB(b, "Inactive(anon):", m.InactiveAnon)
	b = kB(b, "Active(file):", m.ActiveFile)
	b = kB(b, "Inactive(file):", m.InactiveFile)
	b = kB(b, "Unevictable:", m.Unevictable)
	b = kB(b, "Mlocked:", 0)
	b = kB(b, "SwapTotal:", m.SwapTotal)
	b = kB(b, "SwapFree:", m.SwapFree)
	b = kB(b, "Zswap:", m.Zswap)
	b = kB(b, "Zswapped:", m.Zswapped)
	b = kB(b, "Dirty:", m.Dirty)
	b = kB(b, "Writeback:", m.Writeback)
	b = kB(b, "AnonPages:", m.Anon)
	b = kB(b, "Mapped:", m.Mapped)
	b = kB(b, "Shmem:", m.Shmem)
	return meminfoKernel(b, m)
}

// meminfoKernel appends the second half: the kernel's own memory and huge pages.
func meminfoKernel(b []byte, m *Memory) []byte {
	b = kB(b, "KReclaimable:", m.SlabReclaimable)
	b = kB(b, "Slab:", min(m.Total, m.SlabReclaimable+m.SlabUnreclaimable))
	b = kB(b, "SReclaimable:", m.SlabReclaimable)
	b = kB(b, "SUnreclaim:", m.SlabUnreclaimable)
	b = kB(b, "KernelStack:", m.KernelStack)
	b = kB(b, "PageTables:", m.PageTables)
	b = kB(b, "SecPageTables:", m.SecPageTables)
	b = kB(b, "NFS_Unstable:", 0)
	b = kB(b, "Bounce:", 0)
	b = kB(b, "WritebackTmp:", 0)
	b = kB(b, "CommitLimit:", m.Total/2+m.SwapTotal)
	b = kB(b, "Committed_AS:", min(m.Total, m.Anon+m.Shmem))
	b = kB(b, "VmallocTotal:", 0)
	b = kB(b, "VmallocUsed:", 0)
	b = kB(b, "VmallocChunk:", 0)
	b = kB(b, "Percpu:", m.Percpu)
	b = kB(b, "AnonHugePages:", m.AnonHuge)
	b = kB(b, "ShmemHugePages:", m.ShmemHuge)
	b = kB(b, "ShmemPmdMapped:", 0)
	b = kB(b, "FileHugePages:", m.FileHuge)
	b = kB(b, "FilePmdMapped:", 0)
	b = pages(b, "HugePages_Total:", 0)
	b = pages(b, "HugePages_Free:", 0)
	b = pages(b, "HugePages_Rsvd:", 0)
	b = pages(b, "HugePages_Surp:", 0)
	b = kB(b, "Hugepagesize:", 2<<20)
	return kB(b, "Hugetlb:", 0)
}

// kB appends a line of bytes in KiB, which the kernel calls kB.
func kB(b []byte, name string, bytes uint64) []byte {
	return append(number(b, name, bytes>>10), " kB\n"...)
}

// pages appends a line without a unit.
func pages(b []byte, name string, n uint64) []byte { return append(number(b, name, n), '\n') }

func number(b []byte, name string, n uint64) []byte {
	b = append(b, name...)
	for w := len(name); w < 16; w++ {
		b = append(b, ' ')
	}
	return padded(b, n, meminfoDigits)
}

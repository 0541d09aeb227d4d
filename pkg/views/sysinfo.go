package views

import "time"

// sysinfoShift is the same for the loads of sysinfo(2) (SI_LOAD_SHIFT).
const sysinfoShift = 16

// SysinfoFigures are what sysinfo(2) answers, with a mem_unit of one byte. The
// program that converts them for 32 bits has to choose a larger one.
type SysinfoFigures struct {
	Uptime                                  int64 // whole seconds, rounded up as the kernel does
	Loads                                   [3]uint64
	TotalRAM, FreeRAM, SharedRAM, BufferRAM uint64
	TotalSwap, FreeSwap                     uint64
	Procs                                   uint16
	TotalHigh, FreeHigh                     uint64
	Unit                                    uint32
}

// NeedSysinfo is what Sysinfo looks at.
const NeedSysinfo = NeedMemory | NeedLoad

// Sysinfo gives the figures that /proc/meminfo, /proc/loadavg and /proc/uptime
// show of the same snapshot. Source: kernel/sys.c, do_sysinfo.
func Sysinfo(s *Snapshot) SysinfoFigures {
	m := &s.Memory
	f := SysinfoFigures{
		Uptime:   int64((max(s.Uptime, 0) + time.Second - 1) / time.Second),
		TotalRAM: kiB(m.Total), FreeRAM: kiB(m.Free), SharedRAM: kiB(m.Shmem),
		TotalSwap: kiB(m.SwapTotal), FreeSwap: kiB(m.SwapFree),
		Procs: uint16(min(s.Tasks.Total, 1<<16-1)), Unit: 1,
	}
	for i, load := range s.Load {
		f.Loads[i] = load << (sysinfoShift - loadShift)
	}
	return f
}

// kiB cuts bytes to what /proc/meminfo can show.
func kiB(bytes uint64) uint64 { return bytes &^ 1023 }

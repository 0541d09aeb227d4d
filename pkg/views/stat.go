package views

import (
	"strconv"
	"time"
)

// What /proc/stat takes: a line for each CPU and one for all, and the others.
const (
	statCPULine = 104
	statOthers  = 256
	ticksDigits = 13 // 3,000 years of 100 CPUs
)

// Stat renders /proc/stat. Times are in hundredths of a second; those of I/O wait
// and interrupts have no source and are 0, as interrupts and context switches.
// The line of interrupts is as long as it has to be: it is the kernel's longest.
// Source: fs/proc/stat.c, show_stat.
func Stat(b []byte, s *Snapshot) []byte {
	start := len(b)
	b = cpuLine(append(b, "cpu "...), &s.Times.Total)
	for i := range s.Times.CPU {
		b = strconv.AppendInt(append(b, "cpu"...), int64(i), 10)
		b = cpuLine(b, &s.Times.CPU[i])
	}
	b = append(b, "intr 0"...)
	var room [statOthers]byte
	rest := statRest(room[:0], s)
	length := statOthers + statCPULine*(1+len(s.Times.CPU))
	for len(b)-start+len(rest)+3 <= length {
		b = append(b, " 0"...)
	}
	if len(b)-start+len(rest)+1 < length {
		b = append(b, ' ')
	}
	return append(append(b, '\n'), rest...)
}

// statRest appends what follows the line of interrupts.
func statRest(b []byte, s *Snapshot) []byte {
	b = statLine(b, "ctxt ", 0)
	b = statLine(b, "btime ", uint64(max(0, s.BootTime)))
	b = statLine(b, "processes ", s.Tasks.LastPID)
	b = statLine(b, "procs_running ", max(1, s.Tasks.Running)) // at least who reads this
	b = statLine(b, "procs_blocked ", s.Tasks.Blocked)
	return append(b, "softirq 0 0 0 0 0 0 0 0 0 0 0\n"...)
}

func statLine(b []byte, name string, n uint64) []byte {
	return append(strconv.AppendUint(append(b, name...), min(n, largest(ticksDigits)), 10), '\n')
}

// cpuLine appends user, nice, system, idle, iowait, irq, softirq, steal, guest and
// guest_nice.
func cpuLine(b []byte, t *Time) []byte {
	b = ticks(b, t.User)
	b = ticks(b, t.Nice)
	b = ticks(b, t.System)
	b = ticks(b, t.Idle)
	b = append(b, " 0 0 0"...)
	b = ticks(b, t.Steal)
	return append(b, " 0 0\n"...)
}

func ticks(b []byte, d time.Duration) []byte {
	n := uint64(max(0, d) / (10 * time.Millisecond)) // USER_HZ is 100 everywhere
	return strconv.AppendUint(append(b, ' '), min(n, largest(ticksDigits)), 10)
}

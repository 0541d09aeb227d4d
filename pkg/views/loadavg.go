package views

import "strconv"

// loadShift is how many bits of Snapshot.Load are fraction (FSHIFT of the kernel).
const loadShift = 11

// loadavgLength holds three averages of 6 digits, three numbers of 7, and what is
// between them.
const loadavgLength = 56

// Loadavg renders /proc/loadavg. Source: fs/proc/loadavg.c.
func Loadavg(b []byte, s *Snapshot) []byte {
	start := len(b)
	for _, load := range s.Load {
		load += 1 << loadShift / 200 // rounds the second decimal
		b = strconv.AppendUint(b, min(load>>loadShift, largest(6)), 10)
		hundredths := (load & (1<<loadShift - 1)) * 100 >> loadShift
		b = append(b, '.', '0'+byte(hundredths/10), '0'+byte(hundredths%10), ' ')
	}
	most := largest(7)
	b = strconv.AppendUint(b, min(s.Tasks.Running, most), 10)
	b = strconv.AppendUint(append(b, '/'), min(max(s.Tasks.Total, s.Tasks.Running), most), 10)
	b = strconv.AppendUint(append(b, ' '), min(s.Tasks.LastPID, most), 10)
	return endLine(b, start, loadavgLength)
}

// The kernel's weights of what was before, for 5 seconds: 1/exp(5s/1min) and so on.
// Source: include/linux/sched/loadavg.h.
func weights() [3]uint64 { return [3]uint64{1884, 2014, 2037} }

// LoadTick is how often the averages go on, in seconds.
const LoadTick = 5

// AdvanceLoad lets the averages go on for so many ticks in which active tasks
// (with the averages' fraction) were running, waiting for a CPU or blocked.
func AdvanceLoad(load [3]uint64, active uint64, ticks int) [3]uint64 {
	const one = 1 << loadShift
	active = min(active, 1<<40)
	for i, w := range weights() {
		// After so many the weight of what was before is nothing.
		for range min(ticks, 4096) {
			n := load[i]*w + active*(one-w)
			if active >= load[i] {
				n += one - 1
			}
			load[i] = n / one
		}
	}
	return load
}

// LoadOf is a number of tasks with the averages' fraction.
func LoadOf(tasks uint64) uint64 { return min(tasks, 1<<29) << loadShift }

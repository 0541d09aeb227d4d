package views

import "strconv"

// cpuList renders online, present and possible of /sys/devices/system/cpu.
func cpuList(b []byte, s *Snapshot) []byte {
	b = append(b, '0')
	if n := len(s.CPUs); n > 1 {
		b = strconv.AppendInt(append(b, '-'), int64(n-1), 10)
	}
	return append(b, '\n')
}

// noCPUs renders an empty list of CPUs.
func noCPUs(b []byte, _ *Snapshot) []byte { return append(b, '\n') }

// kernelMax renders kernel_max: the highest number that the kernel could have. It
// has to be above what is possible; lscpu allocates by it.
func kernelMax(b []byte, s *Snapshot) []byte {
	if len(s.CPUs) <= 256 {
		return append(b, "255\n"...)
	}
	return append(b, "8191\n"...)
}

package views

import "strconv"

// cpuList renders online, present and possible of /sys/devices/system/cpu.
func cpuList(b []byte, s *Snapshot) []byte {
	return appendList(b, 0, len(s.CPUs))
}

// appendList appends the line for n CPUs from a first one on, as the kernel writes lists.
func appendList(b []byte, first, n int) []byte {
	b = strconv.AppendInt(b, int64(first), 10)
	if n > 1 {
		b = strconv.AppendInt(append(b, '-'), int64(first+n-1), 10)
	}
	return append(b, '\n')
}

// appendMask appends the line for the same as the kernel writes masks on a machine of that many
// CPUs: words of 32 bits from the highest on, the first with as many digits as it needs for
// what may be set in it.
func appendMask(b []byte, first, n, cpus int) []byte {
	const hex = "0123456789abcdef"
	for digit := (cpus+3)/4 - 1; digit >= 0; digit-- {
		bits := 0
		for bit := range 4 {
			if cpu := 4*digit + bit; cpu >= first && cpu < first+n {
				bits |= 1 << bit
			}
		}
		b = append(b, hex[bits])
		if digit > 0 && digit%8 == 0 {
			b = append(b, ',')
		}
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

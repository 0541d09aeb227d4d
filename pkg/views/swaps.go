package views

import "strconv"

const (
	swapsHeader = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority"
	swapsLine   = 96
)

// Swaps renders /proc/swaps: one line with the figures of meminfo, or none if the
// guest has no swap. What the line takes is then at the header's end.
func Swaps(b []byte, s *Snapshot) []byte {
	start, length := len(b), len(swapsHeader)+1+swapsLine
	b = append(b, swapsHeader...)
	if s.Memory.SwapTotal>>10 == 0 {
		return endLine(b, start, length)
	}
	b = append(b, "\nnone                                    virtual\t\t"...)
	b = swapSize(b, s.Memory.SwapTotal>>10)
	b = swapSize(b, s.Memory.SwapTotal>>10-s.Memory.SwapFree>>10)
	b = append(b, "-2"...)
	return endLine(b, start, length)
}

// swapSize appends a number with the tabs that the kernel puts after it.
func swapSize(b []byte, kB uint64) []byte {
	kB = min(kB, largest(meminfoDigits))
	b = append(strconv.AppendUint(b, kB, 10), '\t')
	if kB < 10000000 {
		b = append(b, '\t')
	}
	return b
}

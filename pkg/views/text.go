package views

import "strconv"

// padded appends n, right-aligned in width columns. What doesn't fit is shown as
// the largest number that does: a field that grows would make the file longer.
func padded(b []byte, n uint64, width int) []byte {
	n = min(n, largest(width))
	for w := digits(n); w < width; w++ {
		b = append(b, ' ')
	}
	return strconv.AppendUint(b, n, 10)
}

// largest is the largest number of that many decimal digits.
func largest(width int) uint64 {
	if width > 19 {
		return 1<<64 - 1
	}
	n := uint64(1)
	for range width {
		n *= 10
	}
	return n - 1
}

func digits(n uint64) int {
	d := 1
	for n >= 10 {
		n /= 10
		d++
	}
	return d
}

// endLine ends the line that began at start so that it takes width bytes with its
// newline: blanks at its end are what no parser minds.
func endLine(b []byte, start, width int) []byte {
	for len(b)-start < width-1 {
		b = append(b, ' ')
	}
	return append(b, '\n')
}

// less is a-b, or 0 if that is below.
func less(a, b uint64) uint64 {
	if a < b {
		return 0
	}
	return a - b
}

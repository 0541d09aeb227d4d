package views

import (
	"strconv"
	"time"
)

// uptimeLength holds 10 digits of seconds, and 13 of idle seconds of all CPUs.
const uptimeLength = 32

// Uptime renders /proc/uptime: the guest's uptime and the idle time of its CPUs
// together, in seconds. Source: fs/proc/uptime.c.
func Uptime(b []byte, s *Snapshot) []byte {
	start := len(b)
	b = append(seconds(b, s.Uptime), ' ')
	b = seconds(b, s.Times.Total.Idle)
	return endLine(b, start, uptimeLength)
}

// seconds appends d with two decimals, cut and not rounded, as the kernel does.
func seconds(b []byte, d time.Duration) []byte {
	d = max(d, 0)
	b = strconv.AppendUint(b, uint64(d/time.Second), 10)
	hundredths := uint64(d % time.Second / (10 * time.Millisecond))
	b = append(b, '.', '0'+byte(hundredths/10), '0'+byte(hundredths%10))
	return b
}

package views

import (
	"bytes"
	"strconv"
	"time"
)

// TimeOffsets renders the text that is written to /proc/PID/timens_offsets so
// that a new time namespace starts at zero: monotonic and boottime are the
// host's readings of the two clocks now. The guest's uptime, btime and process
// start times follow from it. Source: time_namespaces(7).
func TimeOffsets(monotonic, boottime time.Duration) []byte {
	b := append([]byte("monotonic "), negated(monotonic)...)
	b = append(b, "\nboottime "...)
	b = append(b, negated(boottime)...)
	return append(b, '\n')
}

// negated is -d as "seconds nanoseconds" with the nanoseconds in [0, 1e9): the
// kernel refuses negative nanoseconds.
func negated(d time.Duration) []byte {
	sec := -int64(d / time.Second)
	nsec := int64(d % time.Second)
	if nsec != 0 {
		sec, nsec = sec-1, int64(time.Second)-nsec
	}
	b := strconv.AppendInt(nil, sec, 10)
	b = append(b, ' ')
	return strconv.AppendInt(b, nsec, 10)
}

// ParseTimeOffsets reads what /proc/PID/timens_offsets shows of the clock named
// boottime: how far a time namespace's clock is before the host's, below zero for
// one that began later. Text that isn't of that form is no offset.
func ParseTimeOffsets(text []byte) (boottime time.Duration) {
	for line := range bytes.Lines(text) {
		f := bytes.Fields(line)
		if len(f) != 3 || string(f[0]) != "boottime" {
			continue
		}
		sec, err := strconv.ParseInt(string(f[1]), 10, 64)
		nsec, err2 := strconv.ParseInt(string(f[2]), 10, 64)
		if err == nil && err2 == nil && max(sec, -sec) < 1<<32 && nsec >= 0 && nsec < int64(time.Second) {
			return time.Duration(sec)*time.Second + time.Duration(nsec)
		}
	}
	return 0
}

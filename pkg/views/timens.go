package views

import (
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

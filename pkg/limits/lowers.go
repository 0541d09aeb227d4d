package limits

import (
	"fmt"
	"strconv"
	"strings"
)

// Lowered is a limit that a change would put below what the guest uses.
type Lowered struct {
	Field string // limits.memory
	Limit int64  // what it would be
	Used  int64  // what is used
	Fatal bool   // processes may be killed for it
}

// String says it in a sentence.
func (l Lowered) String() string {
	switch {
	case l.Field == "limits.pids":
		return fmt.Sprintf("%s: %d is below the %d processes and threads that there are: no fork in it succeeds until there are fewer", l.Field, l.Limit, l.Used)
	case l.Fatal:
		return fmt.Sprintf("%s: %s is below the %s in use: what the kernel can't take back it kills processes for, or it refuses the change",
			l.Field, SizeText(l.Limit), SizeText(l.Used))
	}
	return fmt.Sprintf("%s: %s is below the %s in use: the guest is slowed down until it has given back the rest", l.Field, SizeText(l.Limit), SizeText(l.Used))
}

// Lowers says which limits a change puts below what the guest uses at present. It is an
// answer to be shown before [Group.Change], not a refusal.
func Lowers(from, to Limits, s Stats) []Lowered {
	var all []Lowered
	check := func(field string, was, is *int64, used int64, fatal bool) {
		if is != nil && *is < used && (was == nil || *is < *was) {
			all = append(all, Lowered{field, *is, used, fatal})
		}
	}
	if s.Memory != nil {
		check("limits.memory", from.Memory, to.Memory, s.Memory.Current, true)
		check("limits.memory_high", from.MemoryHigh, to.MemoryHigh, s.Memory.Current, false)
	}
	if s.Pids != nil {
		check("limits.pids", from.Pids, to.Pids, s.Pids.Current, false)
	}
	return all
}

// SizeText is a number of bytes for people: powers of 1024, one decimal at most, as 17.9M.
func SizeText(n int64) string {
	const units = "KMGTPE"
	if n < 1024 {
		return strconv.FormatInt(n, 10) + "B"
	}
	v, unit := float64(n)/1024, 0
	for v >= 1024 && unit < len(units)-1 {
		v, unit = v/1024, unit+1
	}
	return strings.TrimSuffix(strconv.FormatFloat(v, 'f', 1, 64), ".0") + units[unit:unit+1]
}

package limits

import "fmt"

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
		return fmt.Sprintf("%s: %d is below the %d processes and threads that there are: none can be added", l.Field, l.Limit, l.Used)
	case l.Fatal:
		return fmt.Sprintf("%s: %d bytes are below the %d in use: what the kernel can't take back it kills processes for, or it refuses the change", l.Field, l.Limit, l.Used)
	}
	return fmt.Sprintf("%s: %d bytes are below the %d in use: the guest is slowed down until it has given them back", l.Field, l.Limit, l.Used)
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

package limits

import (
	"cmp"
	"fmt"
	"slices"
)

// Choose picks n of the CPUs that are there for a guest: those that the fewest of the
// other guests are bound to, so that not all sit on the first one. What the guest has
// already, it keeps as far as it may. used are the sets of the others, of those alone
// that are bound to some. It fails if there are fewer than n.
func Choose(n int, there, have CPUSet, used []CPUSet) (CPUSet, error) {
	if n > len(there) {
		return nil, &FieldError{"limits.cpus", fmt.Errorf("%d is more than the %d that there are (online: %s)", n, len(there), there)}
	}
	load := map[int]int{}
	for _, set := range used {
		if len(set) >= len(there) {
			continue // it is everywhere
		}
		for _, cpu := range set {
			load[cpu]++
		}
	}
	kept := func(cpu int) int {
		if slices.Contains(have, cpu) {
			return 0
		}
		return 1
	}
	order := slices.Clone(there)
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(kept(a), kept(b)), cmp.Compare(load[a], load[b]), cmp.Compare(a, b))
	})
	chosen := order[:n]
	slices.Sort(chosen)
	return chosen, nil
}

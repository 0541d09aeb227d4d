package limits

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// NewChange gives the knobs to be written so that limits become others while the guest
// runs: those that differ, in an order in which each write is possible when its turn
// comes. What can be refused is first and what can't be taken back is last: a guest that
// is above its new limit of memory loses processes. A *FieldError is as in [NewPlan].
// Knobs that have strayed are written too, whether or not the limits differ.
func NewChange(from, to Limits, on Controllers, strayed ...Strayed) (v2, v1 []Knob, err error) {
	if _, err := NewPlan(to, on); err != nil {
		return nil, nil, err
	}
	var all [2][]difference
	for _, r := range rows() {
		if !r.isSet(&from) && !r.isSet(&to) {
			continue
		}
		old, _, _ := r.place(&from, on) // none, if it was never kept
		fresh, isV2, err := r.place(&to, on)
		if err != nil {
			continue // it is not set, or the default that can't be kept: NewPlan has passed it
		}
		version := 1
		if isV2 {
			version = 0
		}
		all[version] = appendDiffering(all[version], old, fresh)
	}
	for _, s := range strayed {
		version := 0
		if slices.Contains(on.V1, s.Controller) {
			version = 1
		}
		all[version] = withStrayed(all[version], s)
	}
	return inOrder(all[0]), inOrder(all[1]), nil
}

// difference is a knob with the value that it had.
type difference struct {
	Knob
	was string
}

// appendDiffering adds the fresh knobs that aren't among the old ones, and the defaults of
// the old ones that aren't among the fresh.
func appendDiffering(all []difference, old, fresh []Knob) []difference {
	add := func(k Knob, was string) {
		known := slices.ContainsFunc(all, func(d difference) bool { return d.same(&k) })
		if !known && k.Value != was {
			all = append(all, difference{k, was})
		}
	}
	for _, k := range fresh {
		was := k.Default
		if i := slices.IndexFunc(old, func(o Knob) bool { return o.same(&k) }); i >= 0 {
			was = old[i].Value
		}
		add(k, was)
	}
	for _, k := range old {
		if !slices.ContainsFunc(fresh, func(f Knob) bool { return f.same(&k) }) {
			was := k.Value
			k.Value = k.Default
			add(k, was)
		}
	}
	return all
}

// withStrayed adds a knob, or says what one that is written anyway has by now.
func withStrayed(all []difference, s Strayed) []difference {
	if i := slices.IndexFunc(all, func(d difference) bool { return d.same(&s.Knob) }); i >= 0 {
		all[i].was = s.Has
		return all
	}
	return append(all, difference{s.Knob, s.Has})
}

// pairs are files of which the kernel keeps the first one's value within the second
// one's: when the outer bound rises it goes first, when it falls last.
func pairs() [][2]string {
	return [][2]string{
		{"memory.limit_in_bytes", "memory.memsw.limit_in_bytes"},
		{"cpu.cfs_burst_us", "cpu.cfs_quota_us"},
		{"cpu.max.burst", "cpu.max"},
	}
}

func inOrder(all []difference) []Knob {
	slices.SortStableFunc(all, func(a, b difference) int { return last(&a.Knob) - last(&b.Knob) })
	for _, pair := range pairs() {
		at := func(file string) int {
			return slices.IndexFunc(all, func(d difference) bool { return d.File == file })
		}
		inner, outer := at(pair[0]), at(pair[1])
		if inner < 0 || outer < 0 {
			continue
		}
		rises := amount(all[outer].Value) > amount(all[outer].was)
		if rises != (outer < inner) {
			all[inner], all[outer] = all[outer], all[inner]
		}
	}
	knobs := make([]Knob, len(all))
	for i, d := range all {
		knobs[i] = d.Knob
	}
	return knobs
}

// last is 1 for the limit of memory: what it costs isn't given back.
func last(k *Knob) int {
	if k.File == "memory.max" || k.File == "memory.limit_in_bytes" || k.File == "memory.memsw.limit_in_bytes" {
		return 1
	}
	return 0
}

// amount is the first number of a value; no limit is above all.
func amount(value string) int64 {
	number, _, _ := strings.Cut(value, " ")
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 0 {
		return math.MaxInt64
	}
	return n
}

package cgroupfs

import (
	"fmt"
	"slices"

	"github.com/sysct/sysct/pkg/limits"
)

// Strayed implements limits.Group.
func (g *group) Strayed(l limits.Limits) ([]limits.Strayed, error) {
	on, err := g.controllers()
	var all []limits.Strayed
	if err == nil {
		all, err = g.strayed(l, on)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot compare limits of %q: %w", g.name, err)
	}
	return all, nil
}

// strayed leaves out files that the kernel doesn't have: what could be refused was refused
// when the limits were set.
func (g *group) strayed(l limits.Limits, on limits.Controllers) ([]limits.Strayed, error) {
	var all []limits.Strayed
	cpus, strayed, err := g.strayedCPUs(l)
	if err != nil {
		return nil, err
	}
	if strayed {
		all = append(all, cpus)
	}
	for _, k := range limits.Kept(l, on) {
		d := g.holder(k.Controller)
		if d == nil {
			d = g.in(k.Place)
		}
		text, err := d.read(k.File)
		if gone(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if s, strayed := k.Strayed(text); strayed {
			all = append(all, s)
		}
	}
	return all, nil
}

func (g *group) strayedCPUs(l limits.Limits) (s limits.Strayed, strayed bool, err error) {
	own, file, _ := g.cpuset()
	has, err := own.cpus("cpuset.cpus")
	if err != nil {
		return s, false, ignoreGone(err)
	}
	above, err := own.open("..")
	if err != nil {
		return s, false, ignoreGone(err)
	}
	defer above.close()
	there, err := above.cpus(file)
	if err != nil {
		return s, false, ignoreGone(err)
	}
	s, strayed = limits.StrayedCPUs(l, has, there)
	return s, strayed, nil
}

// strayedOf are the knobs of some keys that have strayed; whether CPUs have is said apart, as
// these have to be chosen.
func (g *group) strayedOf(l limits.Limits, on limits.Controllers, keys []string) (knobs []limits.Strayed, cpus bool, err error) {
	if len(keys) == 0 {
		return nil, false, nil
	}
	all, err := g.strayed(l, on)
	for _, s := range all {
		switch {
		case !slices.Contains(keys, s.Field):
		case s.Controller == "cpuset":
			cpus = true
		default:
			knobs = append(knobs, s)
		}
	}
	return knobs, cpus, err
}

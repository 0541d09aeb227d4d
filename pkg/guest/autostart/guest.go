package autostart

import (
	"slices"
	"time"
)

// Guest is what a guest's configuration says of its start.
type Guest struct {
	Name        string
	Enabled     bool
	Order       int           // lower first
	Delay       time.Duration // after its start, before guests of a higher order go on
	Groups      []string
	After       []string      // started before it, if they are started
	Requires    []string      // started before it, and too
	StopTimeout time.Duration // of its own shutdown, and of the hooks after it
	Protected   bool          // from being started
	Err         error         // why its configuration can't be read; the rest is nothing then
}

// behind are the guests that it wants to be ready before its start.
func (g *Guest) behind() []string {
	names := slices.Clone(g.Requires)
	for _, name := range g.After {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// In says whether the guest is in one of the groups; "" is the group of those that
// are in none.
func (g *Guest) In(groups []string) bool {
	if len(g.Groups) == 0 {
		return slices.Contains(groups, "")
	}
	return slices.ContainsFunc(g.Groups, func(name string) bool { return slices.Contains(groups, name) })
}

// byName finds guests by their names.
func byName(all []Guest) map[string]*Guest {
	index := make(map[string]*Guest, len(all))
	for i := range all {
		index[all[i].Name] = &all[i]
	}
	return index
}

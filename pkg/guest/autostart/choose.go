package autostart

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Problem is why a guest isn't started by itself.
type Problem struct {
	Name string
	Err  error
}

// Choose gives the guests that start by themselves, sorted: the enabled ones and those
// that they require. One that can't be started is a problem, and so is each that
// requires it; the others go on.
func Choose(all []Guest) ([]string, []Problem) {
	index := byName(all)
	wanted := wantedOf(all, index)
	bad := map[string]error{}
	for _, name := range wanted {
		g := index[name]
		if circle := circleOf(name, within(index, wanted)); circle != nil {
			bad[name] = CircleError(circle)
		}
		if g.Protected {
			bad[name] = errors.New("it is protected from start")
		}
		for _, other := range g.Requires {
			if o, ok := index[other]; !ok {
				bad[name] = fmt.Errorf("it requires %s, which isn't there", other)
			} else if o.Err != nil {
				bad[name] = fmt.Errorf("it requires %s, whose configuration can't be read", other)
			}
		}
	}
	spread(index, wanted, bad)
	for i := range all {
		if all[i].Err != nil {
			bad[all[i].Name] = all[i].Err
		}
	}
	chosen := slices.DeleteFunc(wanted, func(name string) bool { return bad[name] != nil })
	return chosen, problems(bad)
}

// wantedOf are the enabled guests and those that they require, of which some aren't
// readable.
func wantedOf(all []Guest, index map[string]*Guest) []string {
	seen := map[string]bool{}
	var add func(name string)
	add = func(name string) {
		g, ok := index[name]
		if !ok || seen[name] || g.Err != nil {
			return
		}
		seen[name] = true
		for _, other := range g.Requires {
			add(other)
		}
	}
	for i := range all {
		if all[i].Enabled {
			add(all[i].Name)
		}
	}
	var names []string
	for i := range all {
		if seen[all[i].Name] {
			names = append(names, all[i].Name)
		}
	}
	slices.Sort(names)
	return names
}

// spread makes those bad that require a bad one.
func spread(index map[string]*Guest, wanted []string, bad map[string]error) {
	for changed := true; changed; {
		changed = false
		for _, name := range wanted {
			for _, other := range index[name].Requires {
				if bad[name] == nil && bad[other] != nil {
					bad[name] = fmt.Errorf("it requires %s, which isn't started", other)
					changed = true
				}
			}
		}
	}
}

func problems(bad map[string]error) []Problem {
	var list []Problem
	for name, err := range bad {
		list = append(list, Problem{name, err})
	}
	slices.SortFunc(list, func(a, b Problem) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// within gives those that a guest wants to be ready before it, as far as they are
// among some names.
func within(index map[string]*Guest, names []string) func(string) []string {
	among := map[string]bool{}
	for _, name := range names {
		among[name] = true
	}
	return func(name string) []string {
		var list []string
		if g, ok := index[name]; ok {
			for _, other := range g.behind() {
				if among[other] {
					list = append(list, other)
				}
			}
		}
		return list
	}
}

// Circle gives the shortest way from a guest over after and requires back to itself,
// its name first and last; nil if there is none.
func Circle(all []Guest, name string) []string {
	index := byName(all)
	return circleOf(name, func(from string) []string {
		if g, ok := index[from]; ok {
			return g.behind()
		}
		return nil
	})
}

// circleOf searches in breadth, so that the way is the shortest.
func circleOf(name string, next func(string) []string) []string {
	from := map[string]string{}
	for queue := []string{name}; len(queue) > 0; queue = queue[1:] {
		for _, other := range next(queue[0]) {
			if _, seen := from[other]; seen {
				continue
			}
			from[other] = queue[0]
			if other == name {
				return way(name, from)
			}
			queue = append(queue, other)
		}
	}
	return nil
}

func way(name string, from map[string]string) []string {
	path := []string{name}
	for at := from[name]; at != name; at = from[at] {
		path = append(path, at)
	}
	path = append(path, name)
	slices.Reverse(path)
	return path
}

// CircleError says that guests wait for each other.
func CircleError(circle []string) error {
	return errors.New("a circle: " + strings.Join(circle, " after "))
}

// Needs gives the guests that have to be ready before one is started, sorted. An error is
// that there is one that can't be. Of guests in a circle none needs another.
func Needs(all []Guest, name string) ([]string, error) {
	index := byName(all)
	g, ok := index[name]
	if !ok {
		return nil, nil
	}
	for _, other := range g.Requires {
		if _, ok := index[other]; !ok {
			return nil, fmt.Errorf("it requires %s, which isn't there", other)
		}
	}
	var needs []string
	for _, n := range NewPlan(all, nameList(all)).Nodes {
		if n.Name == name {
			needs = slices.Sorted(slices.Values(n.Needs))
		}
	}
	return needs, nil
}

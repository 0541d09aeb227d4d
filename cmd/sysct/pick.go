package main

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"github.com/sysct/sysct/pkg/guest"
	"github.com/sysct/sysct/pkg/guest/autostart"
	"github.com/sysct/sysct/pkg/guest/state"
)

// picker gives the function that the flags --filter and --sort stand for: it
// drops guests by what their columns show, and orders them.
func (o *lsOptions) picker() (func([]guest.Info) []guest.Info, error) {
	type test struct {
		column column
		want   string
	}
	var tests []test
	for _, f := range o.filters {
		name, want, found := strings.Cut(f, "=")
		if _, err := path.Match(want, ""); !found || err != nil {
			return nil, invalid("cannot use filter %q: want COLUMN=VALUE", f)
		}
		c, err := columnOf(name)
		if err != nil {
			return nil, err
		}
		if c.name == "state" {
			want = strings.ToUpper(want)
		}
		tests = append(tests, test{c, want})
	}
	by := columns()[0]
	if o.sort != "" {
		c, err := columnOf(o.sort)
		if err != nil {
			return nil, err
		}
		by = c
	}
	states := o.states()
	return func(list []guest.Info) []guest.Info {
		if states != nil {
			list = slices.DeleteFunc(list, func(i guest.Info) bool { return !slices.Contains(states, i.State) })
		}
		list = slices.DeleteFunc(list, func(i guest.Info) bool {
			return slices.ContainsFunc(tests, func(t test) bool {
				fits, _ := path.Match(t.want, t.column.cell(&i))
				return !fits
			})
		})
		if len(o.groups) > 0 {
			list = slices.DeleteFunc(list, func(i guest.Info) bool {
				g := autostart.Guest{Groups: i.Groups}
				return !g.In(groupNames(o.groups))
			})
		}
		slices.SortStableFunc(list, func(a, b guest.Info) int {
			if by.number != nil {
				return cmp.Compare(by.number(&a), by.number(&b))
			}
			return strings.Compare(by.cell(&a), by.cell(&b))
		})
		return list
	}, nil
}

// states are those that flags name; nil: all. A guest that was thawed runs.
func (o *lsOptions) states() []state.State {
	var states []state.State
	if o.running {
		states = append(states, state.Running, state.Thawed)
	}
	if o.frozen {
		states = append(states, state.Frozen)
	}
	if o.stopped {
		states = append(states, state.Stopped)
	}
	return states
}

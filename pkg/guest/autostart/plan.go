package autostart

import (
	"cmp"
	"slices"
)

// Plan is an order for some guests: for their start as it stands, for their stop
// from the end.
type Plan struct {
	// Nodes has each guest after all that it waits for; of those that don't wait for
	// each other the lower order comes first, then the name.
	Nodes []Node
}

// Node is a guest in a plan.
type Node struct {
	Guest
	// Rank is the place of the guest's order among those that there are, from 0. A
	// guest that wants one of a higher order to be ready has that one's rank.
	Rank int
	// Ready are those of the plan that it wants to be ready before its start.
	Ready []string
	// Needs are those of Ready without which it isn't started.
	Needs []string
}

// NewPlan makes a plan for those of all guests that are named. An order always
// results: of guests in a circle none waits for another.
func NewPlan(all []Guest, names []string) *Plan {
	index := byName(all)
	names = slices.DeleteFunc(slices.Clone(names), func(name string) bool { return index[name] == nil })
	next := within(index, names)
	inCircle := map[string]bool{}
	for _, name := range names {
		inCircle[name] = circleOf(name, next) != nil
	}
	nodes := map[string]*Node{}
	for _, name := range names {
		n := &Node{Guest: *index[name]}
		for _, other := range next(name) {
			if inCircle[name] && inCircle[other] {
				continue
			}
			n.Ready = append(n.Ready, other)
			if slices.Contains(n.Requires, other) {
				n.Needs = append(n.Needs, other)
			}
		}
		nodes[name] = n
	}
	return &Plan{Nodes: sorted(nodes)}
}

// sorted puts the nodes in order and numbers their ranks.
func sorted(nodes map[string]*Node) []Node {
	orders := map[string]int{}
	depth := map[string]int{}
	var visit func(name string)
	visit = func(name string) {
		if _, seen := orders[name]; seen {
			return
		}
		order, deep := nodes[name].Order, 0
		for _, other := range nodes[name].Ready {
			visit(other)
			order = max(order, orders[other])
			deep = max(deep, depth[other]+1)
		}
		orders[name], depth[name] = order, deep
	}
	list := make([]Node, 0, len(nodes))
	for name, n := range nodes {
		visit(name)
		list = append(list, *n)
	}
	slices.SortFunc(list, func(a, b Node) int {
		return cmp.Or(cmp.Compare(orders[a.Name], orders[b.Name]), cmp.Compare(depth[a.Name], depth[b.Name]), cmp.Compare(a.Name, b.Name))
	})
	rank := 0
	for i := range list {
		if i > 0 && orders[list[i].Name] != orders[list[i-1].Name] {
			rank++
		}
		list[i].Rank = rank
	}
	return list
}

// Names are the plan's guests, in the order of their start.
func (p *Plan) Names() []string {
	names := make([]string, len(p.Nodes))
	for i := range p.Nodes {
		names[i] = p.Nodes[i].Name
	}
	return names
}

// waits gives for each node, by its index, those that have to be done before it: in
// its rank those that it wants ready, and all of the rank below.
func (p *Plan) waits() [][]int {
	at := map[string]int{}
	for i := range p.Nodes {
		at[p.Nodes[i].Name] = i
	}
	list := make([][]int, len(p.Nodes))
	for i := range p.Nodes {
		n := &p.Nodes[i]
		for _, name := range n.Ready {
			if j := at[name]; p.Nodes[j].Rank == n.Rank {
				list[i] = append(list[i], j)
			}
		}
		for j := range p.Nodes {
			if p.Nodes[j].Rank == n.Rank-1 {
				list[i] = append(list[i], j)
			}
		}
	}
	return list
}

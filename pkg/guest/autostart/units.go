package autostart

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The names that guests have as units of systemd. A guest's or a group's name has
// nothing in it that would have to be escaped in a unit's name (systemd.unit(5)).
func service(name string) string   { return "sysct@" + name + ".service" }
func pauseUnit(name string) string { return "sysct-delay@" + name + ".service" }
func groupUnit(name string) string { return "sysct-group@" + name + ".target" }

// DropIn is the name of all files that Units gives.
const DropIn = "50-sysct.conf"

// DelayUnit is the unit that lasts for a guest's delay.
func DelayUnit(name string) string { return pauseUnit(name) }

// IsOurs tells whether a directory of drop-ins is one that Units could name.
func IsOurs(dir string) bool {
	for _, prefix := range []string{"sysct@", "sysct-delay@", "sysct-group@"} {
		if strings.HasPrefix(dir, prefix) && strings.HasSuffix(dir, ".d") {
			return true
		}
	}
	return false
}

// unitStop is what the unit itself has for a guest's stop: drop-ins are for those that
// need more.
const (
	unitStop  = 90 * time.Second
	stopSlack = 10 * time.Second
)

// drop is a drop-in: lines of its two sections, in the order of systemd's manual.
type drop struct {
	unit, service []string
}

func (d *drop) add(key string, values []string) {
	if len(values) > 0 {
		d.unit = append(d.unit, key+"="+strings.Join(values, " "))
	}
}

func (d *drop) empty() bool { return len(d.unit)+len(d.service) == 0 }

func (d *drop) text() string {
	var b strings.Builder
	b.WriteString("# Made by sysct of the configurations of guests, and made anew when they change.\n")
	for _, section := range []struct {
		head  string
		lines []string
	}{{"[Unit]", d.unit}, {"[Service]", d.service}} {
		if len(section.lines) > 0 {
			b.WriteString("\n" + section.head + "\n" + strings.Join(section.lines, "\n") + "\n")
		}
	}
	return b.String()
}

// Units gives the drop-ins that tell systemd what the guests' configurations say, by
// their paths below a directory of units. dir is the instance's, with a guest's own below
// it. A guest of whom there is nothing to say has none.
//
// The order holds among those that start by themselves, and for each pair of them: who
// isn't started, or has been stopped, isn't there to hold a chain of orders together.
func Units(all []Guest, dir string) map[string]string {
	readable := slices.DeleteFunc(slices.Clone(all), func(g Guest) bool { return g.Err != nil })
	chosen, _ := Choose(all)
	ranks := NewPlan(readable, chosen)
	files := map[string]string{}
	for _, n := range NewPlan(readable, nameList(readable)).Nodes {
		d := unitOf(&n, ranks.below(n.Name), dir)
		if !d.empty() {
			files[service(n.Name)+".d/"+DropIn] = d.text()
		}
		if n.Delay > 0 {
			pause := drop{service: []string{"Environment=DELAY=" + strconv.FormatFloat(n.Delay.Seconds(), 'f', -1, 64)}}
			files[pauseUnit(n.Name)+".d/"+DropIn] = pause.text()
		}
	}
	for group, members := range groupsOf(readable) {
		var d drop
		d.add("Wants", members)
		d.add("After", members)
		files[groupUnit(group)+".d/"+DropIn] = d.text()
	}
	return files
}

// unitOf is what is to be said of a guest; below are the units that its order puts before it.
// Those that it requires have no Requires= or Wants=: systemd restarts a monitor that dies
// by a job, which would stop the guests that require its guest, and start those that it
// requires. They are started by the guest's own first start.
func unitOf(n *Node, below []string, dir string) *drop {
	d := &drop{}
	after := services(n.Ready)
	for _, unit := range below {
		if !slices.Contains(after, unit) {
			after = append(after, unit)
		}
	}
	slices.Sort(after)
	d.add("After", after)
	var groups []string
	for _, group := range n.Groups {
		groups = append(groups, groupUnit(group))
	}
	d.add("PartOf", groups)
	if stop := n.StopTimeout + stopSlack; stop > unitStop {
		d.service = append(d.service, fmt.Sprintf("TimeoutStopSec=%d", int64((stop+time.Second-1)/time.Second)))
	}
	if !d.empty() {
		d.unit = append(d.unit, "RequiresMountsFor="+quotePath(dir+"/"+n.Name))
	}
	return d
}

// quotePath is a path as systemd reads it: % is doubled, and quotes keep spaces.
func quotePath(path string) string {
	return `"` + strings.NewReplacer(`%`, `%%`, `\`, `\\`, `"`, `\"`).Replace(path) + `"`
}

// below are the units of all lower ranks than a guest's, with their delays; none if it
// isn't in the plan.
func (p *Plan) below(name string) []string {
	i := slices.IndexFunc(p.Nodes, func(n Node) bool { return n.Name == name })
	if i < 0 {
		return nil
	}
	var units []string
	for _, n := range p.Nodes {
		if n.Rank >= p.Nodes[i].Rank {
			break
		}
		units = append(units, service(n.Name))
		if n.Delay > 0 {
			units = append(units, pauseUnit(n.Name))
		}
	}
	return units
}

func services(names []string) []string {
	var units []string
	for _, name := range names {
		units = append(units, service(name))
	}
	slices.Sort(units)
	return units
}

func nameList(all []Guest) []string {
	var names []string
	for i := range all {
		names = append(names, all[i].Name)
	}
	return names
}

// groupsOf are the services of each group's guests.
func groupsOf(all []Guest) map[string][]string {
	groups := map[string][]string{}
	for i := range all {
		for _, group := range all[i].Groups {
			groups[group] = append(groups[group], service(all[i].Name))
		}
	}
	for _, members := range groups {
		slices.Sort(members)
	}
	return groups
}

package autostart

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// parse reads guests as "db*@1 after:a,b requires:c": * is enabled, @1 the order.
func parse(t *testing.T, lines ...string) []Guest {
	t.Helper()
	var all []Guest
	for _, line := range lines {
		words := strings.Fields(line)
		g := Guest{}
		name, order, found := strings.Cut(words[0], "@")
		if found {
			if _, err := fmt.Sscan(order, &g.Order); err != nil {
				t.Fatal(err)
			}
		}
		g.Name, g.Enabled = strings.CutSuffix(name, "*")
		for _, word := range words[1:] {
			key, list, _ := strings.Cut(word, ":")
			switch key {
			case "after":
				g.After = strings.Split(list, ",")
			case "requires":
				g.Requires = strings.Split(list, ",")
			case "groups":
				g.Groups = strings.Split(list, ",")
			case "protected":
				g.Protected = true
			case "broken":
				g.Err = errors.New("broken")
			default:
				t.Fatal(word)
			}
		}
		all = append(all, g)
	}
	return all
}

func TestChoose(t *testing.T) {
	tests := []struct {
		guests, chosen, problems string
	}{
		{"a*|b|c*", "a c", ""},
		{"a* requires:b|b requires:c|c|d", "a b c", ""},
		{"a* after:b|b", "a", ""},
		{"a* after:gone", "a", ""},
		{"a* requires:gone|b*", "b", "a: it requires gone, which isn't there"},
		{"a* requires:b|b broken|c*", "c", "a: it requires b, whose configuration can't be read|b: broken"},
		{"a* requires:b|b requires:c|c requires:gone|d* after:a", "d",
			"a: it requires b, which isn't started|b: it requires c, which isn't started|c: it requires gone, which isn't there"},
		{"a* after:b|b* after:c|c* after:a|d* after:a|e* requires:b", "d",
			"a: a circle: a after b after c after a|b: a circle: b after c after a after b|c: a circle: c after a after b after c|e: it requires b, which isn't started"},
		{"a* requires:b|b protected|c*", "c", "a: it requires b, which isn't started|b: it is protected from start"},
		{"a* after:a|b*", "b", "a: a circle: a after a"},
		{"a* after:b|b after:a", "a", ""}, // b isn't started: no circle
		{"a* requires:b|b after:a", "", "a: a circle: a after b after a|b: a circle: b after a after b"},
	}
	for _, test := range tests {
		chosen, problems := Choose(parse(t, strings.Split(test.guests, "|")...))
		var texts []string
		for _, p := range problems {
			texts = append(texts, p.Name+": "+p.Err.Error())
		}
		if got := strings.Join(chosen, " "); got != test.chosen {
			t.Errorf("%s: chosen %q, want %q", test.guests, got, test.chosen)
		}
		if got := strings.Join(texts, "|"); got != test.problems {
			t.Errorf("%s: problems\n%s, want\n%s", test.guests, got, test.problems)
		}
	}
}

func TestPlan(t *testing.T) {
	tests := []struct{ guests, plan string }{
		{"b|a", "a/0 b/0"},
		{"a@10|b@-5|c", "b/0 c/1 a/2"},
		{"a after:b|b", "b/0 a/0<b"},
		{"a after:b|b@10|c@5", "c/0 b/1 a/1<b"}, // its own order gives way
		{"a@10 after:b|b@0", "b/0 a/1<b"},
		{"a requires:b after:b,c,gone|b|c", "b/0 c/0 a/0<!b<c"},
		{"a after:b|b after:a|c after:a", "a/0 b/0 c/0<a"},
		{"c after:b|b after:a|a", "a/0 b/0<a c/0<b"},
	}
	for _, test := range tests {
		all := parse(t, strings.Split(test.guests, "|")...)
		var got []string
		for _, n := range NewPlan(all, names(all)).Nodes {
			text := fmt.Sprintf("%s/%d", n.Name, n.Rank)
			for _, other := range n.Ready {
				if slices.Contains(n.Needs, other) {
					other = "!" + other
				}
				text += "<" + other
			}
			got = append(got, text)
		}
		if text := strings.Join(got, " "); text != test.plan {
			t.Errorf("%s: got %q, want %q", test.guests, text, test.plan)
		}
	}
}

func names(all []Guest) []string {
	var list []string
	for i := range all {
		list = append(list, all[i].Name)
	}
	return list
}

// genGuests makes guests with any relations among them, circles too.
func genGuests(t *rapid.T) []Guest {
	pool := []string{"a", "b", "c", "d", "e", "f", "g", "h"}
	pool = pool[:rapid.IntRange(1, len(pool)).Draw(t, "how many")]
	some := func(label string) []string { return rapid.SliceOfN(rapid.SampledFrom(pool), 0, 2).Draw(t, label) }
	var all []Guest
	for _, name := range pool {
		all = append(all, Guest{Name: name, Enabled: rapid.Bool().Draw(t, "enabled"), Order: rapid.IntRange(-1, 1).Draw(t, "order"),
			After: some("after"), Requires: some("requires")})
	}
	return all
}

// TestWalkKeepsTheOrder: no guest is begun before those that it waits for are done, each
// has one turn, and no more than jobs have it at a time.
func TestWalkKeepsTheOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := genGuests(t)
		plan := NewPlan(all, names(all))
		jobs := rapid.IntRange(0, 3).Draw(t, "jobs")
		reverse := rapid.Bool().Draw(t, "reverse")
		var mu sync.Mutex
		done := map[string]bool{}
		at := 0
		plan.Walk(jobs, reverse, func(n Node) {
			mu.Lock()
			at++
			if jobs > 0 && at > jobs {
				t.Errorf("%d at a time", at)
			}
			for _, other := range plan.Nodes {
				before := other.Rank < n.Rank || slices.Contains(n.Ready, other.Name)
				if reverse {
					before = other.Rank > n.Rank || slices.Contains(other.Ready, n.Name)
				}
				if before && !done[other.Name] {
					t.Errorf("%s before %s is done", n.Name, other.Name)
				}
			}
			mu.Unlock()
			mu.Lock()
			at--
			if done[n.Name] {
				t.Errorf("%s twice", n.Name)
			}
			done[n.Name] = true
			mu.Unlock()
		})
		if len(done) != len(all) {
			t.Errorf("%d of %d had their turn", len(done), len(all))
		}
	})
}

// TestChosenCanStart: what is chosen has all that it requires among the chosen, and no circle.
func TestChosenCanStart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := genGuests(t)
		chosen, problems := Choose(all)
		for _, p := range problems {
			if slices.Contains(chosen, p.Name) {
				t.Errorf("%s is chosen in spite of: %v", p.Name, p.Err)
			}
		}
		for i := range all {
			if !slices.Contains(chosen, all[i].Name) {
				continue
			}
			for _, other := range all[i].Requires {
				if !slices.Contains(chosen, other) {
					t.Errorf("%s is chosen without %s", all[i].Name, other)
				}
			}
			if circle := circleOf(all[i].Name, within(byName(all), chosen)); circle != nil {
				t.Errorf("chosen in a circle: %q", circle)
			}
		}
	})
}

// TestWalkOneAtATime goes in the plan's order, the lowest first, and back.
func TestWalkOneAtATime(t *testing.T) {
	plan := NewPlan(parse(t, "z@1", "y@2", "x after:w", "w"), []string{"w", "x", "y", "z"})
	for _, test := range []struct {
		reverse bool
		want    string
	}{{false, "w x z y"}, {true, "y z x w"}} {
		var got []string
		plan.Walk(1, test.reverse, func(n Node) { got = append(got, n.Name) })
		if text := strings.Join(got, " "); text != test.want {
			t.Errorf("reverse %v: %q, want %q", test.reverse, text, test.want)
		}
	}
}

func TestIn(t *testing.T) {
	for i, test := range []struct {
		groups, asked string
		want          bool
	}{{"a,b", "b", true}, {"a", "b", false}, {"a", "b,a", true}} {
		g := Guest{Groups: strings.Split(test.groups, ",")}
		if got := g.In(strings.Split(test.asked, ",")); got != test.want {
			t.Errorf("%d: %v", i, got)
		}
	}
	if !(&Guest{}).In([]string{"a", ""}) || (&Guest{Groups: []string{"a"}}).In([]string{""}) {
		t.Error("the empty group is that of guests in none")
	}
}

// TestNeeds: a guest needs those it requires and no others, and none of a circle; one that
// isn't there is an error.
func TestNeeds(t *testing.T) {
	all := parse(t, "db", "cache", "web after:db requires:cache", "x requires:y", "y requires:x", "lost requires:gone")
	for name, want := range map[string]string{"web": "cache", "db": "", "x": "", "none": ""} {
		if needs, err := Needs(all, name); err != nil || strings.Join(needs, " ") != want {
			t.Errorf("%s needs %q, %v", name, needs, err)
		}
	}
	if _, err := Needs(all, "lost"); err == nil || err.Error() != "it requires gone, which isn't there" {
		t.Errorf("a guest that isn't there: %v", err)
	}
}

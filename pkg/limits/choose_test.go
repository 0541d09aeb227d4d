package limits

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestChoose(t *testing.T) {
	there := CPUSet{0, 1, 2, 3}
	for _, c := range []struct {
		n    int
		have CPUSet
		used []CPUSet
		want string
	}{
		{1, nil, nil, "0"},
		{1, nil, []CPUSet{{0}}, "1"},
		{2, nil, []CPUSet{{0}, {1}}, "2-3"},
		{2, nil, []CPUSet{{0}, {1}, {2, 3}, {0, 2}}, "1,3"},
		{1, nil, []CPUSet{{0, 1, 2, 3}, {0, 1, 2, 3}, {0}}, "1"}, // who may be everywhere is nowhere
		{2, CPUSet{3}, []CPUSet{{3}, {3}}, "0,3"},
		{1, CPUSet{1, 2}, []CPUSet{{1, 2}, {1}}, "2"},
		{1, CPUSet{7}, nil, "0"}, // it has gone
		{4, nil, []CPUSet{{0}}, "0-3"},
	} {
		got, err := Choose(c.n, there, c.have, c.used)
		if err != nil || got.String() != c.want {
			t.Errorf("%+v: %s, %v", c, got, err)
		}
	}
	_, err := Choose(3, CPUSet{0, 4}, nil, nil)
	if want := "limits.cpus: 3 is more than the 2 that there are (online: 0,4)"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if err := (Limits{CPUs: 3}).CheckCPUs(CPUSet{0, 1}); err == nil || !strings.Contains(err.Error(), "limits.cpus: 3 is more") {
		t.Error(err)
	}
}

// TestChoosingSpreads: whoever comes one after another, no CPU has two guests more than
// another one has.
func TestChoosingSpreads(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		there := CPUSet{0, 1, 2, 3, 5, 8, 9}
		var used []CPUSet
		for range rapid.IntRange(1, 20).Draw(t, "guests") {
			n := rapid.IntRange(1, len(there)-1).Draw(t, "n")
			set, err := Choose(n, there, nil, used)
			if err != nil || len(set) != n || len(set.Without(there)) != 0 || !slices.IsSorted(set) {
				t.Fatalf("%d: %v, %v", n, set, err)
			}
			used = append(used, set)
		}
		load := map[int]int{}
		for _, cpu := range there {
			load[cpu] = 0
		}
		for _, set := range used {
			for _, cpu := range set {
				load[cpu]++
			}
		}
		least, most := load[0], load[0]
		for _, n := range load {
			least, most = min(least, n), max(most, n)
		}
		if most-least > 1 {
			t.Fatalf("%v of %v", load, used)
		}
	})
}

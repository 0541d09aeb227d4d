package main

import (
	"slices"
	"strings"
	"testing"
)

// The table of contents names every verb as the verb names itself, so that the one
// that is built alone is the one that would be found among all.
func TestVerbsAreNamedAsTheyCallThemselves(t *testing.T) {
	seen := map[string]bool{}
	for _, v := range verbs() {
		cmd := v.build(&app{})
		if got := append([]string{cmd.Name()}, cmd.Aliases...); !slices.Equal(got, strings.Fields(v.names)) {
			t.Errorf("the table has %q, the verb %q", v.names, got)
		}
		for _, name := range strings.Fields(v.names) {
			if seen[name] {
				t.Errorf("%s is there twice", name)
			}
			seen[name] = true
			if one := wanted(verbs(), []string{name, "--help"}); len(one) != 1 || one[0].names != v.names {
				t.Errorf("for %s %d verbs are built", name, len(one))
			}
		}
	}
	for _, careful := range [][]string{{"create", "x"}, {"rm", "x"}, {"attach", "x"}, {"-q", "start"}, {}, {"no-verb"}} {
		if !isCareful(careful) {
			t.Errorf("%q doesn't heed signals at once", careful)
		}
	}
	if isCareful([]string{"pause", "x"}) {
		t.Error("a pause heeds signals at once")
	}
	if all := wanted(verbs(), []string{"--state-dir", "/x", "start"}); len(all) != len(verbs()) {
		t.Errorf("behind a flag %d verbs are found", len(all))
	}
}

package monitor

import "testing"

// TestNoFigures: without figures there is no view of zeros.
func TestNoFigures(t *testing.T) {
	table := (&monitor{plan: &Plan{}}).viewTable()
	for _, f := range table.Files[1:] {
		if text := f.Render([]byte{}); text != nil {
			t.Errorf("%s is %q", f.Path, text)
		}
	}
	if n := table.Counted[0].Count(); n >= 0 {
		t.Errorf("there are %d CPUs", n)
	}
}

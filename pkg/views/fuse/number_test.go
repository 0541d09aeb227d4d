package fuse

import (
	"testing"

	"golang.org/x/sys/unix"
)

// walk gives the number of each path in a server's tree.
func walk(t *testing.T, s *Server) map[string]uint64 {
	found := map[string]uint64{}
	var down func(number uint64, path string)
	down = func(number uint64, path string) {
		dir, ok := s.tree.get(number)
		if !ok {
			t.Fatalf("there is no node %#x, which is %q", number, path)
		}
		for i := uint64(0); dir.isDir(); i++ {
			number, name, _, ok := s.tree.entry(&dir, i, s.name[:])
			if !ok {
				return
			}
			below := join(path, string(name))
			if asked := s.tree.lookup(&dir, name); asked != number {
				t.Errorf("%s is %#x in a listing and %#x if it is asked for", below, number, asked)
			}
			found[below] = number
			down(number, below)
		}
	}
	down(rootNode, "")
	return found
}

// TestNumbersOutliveAProgram: one whose table has other files, in another order, has the same
// numbers for the same paths, and answers for no file with another's number.
func TestNumbersOutliveAProgram(t *testing.T) {
	server := func(cpus int, below []Numbered, paths ...string) *Server {
		table := &Table{Counted: []Counted{{"cpu", "cpu", func() int { return cpus }, below}}}
		for _, path := range paths {
			table.Files = append(table.Files, File{path, 0, func(b []byte) []byte { return append(b, path...) }})
		}
		s, err := New(-1, make([]byte, SlotSize), table, func() Now { return Now{} })
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	more := append([]Numbered{{"cache/size", numbered()[0].Render}}, numbered()...)
	before := server(3, numbered(), "meminfo", "cpu/online", "gone", "stat")
	after := server(2, more, "aaa", "stat", "cpu/aaa", "cpu/online", "meminfo")
	old, now := walk(t, before), walk(t, after)
	if len(old) != 17 {
		t.Errorf("there are %v", old)
	}
	seen := map[uint64]string{}
	for path, number := range now {
		if other := seen[number]; other != "" {
			t.Errorf("%s and %s have the same number", path, other)
		}
		seen[number] = path
	}
	for path, number := range old {
		if p, here := now[path]; here {
			if p != number {
				t.Errorf("%s was %#x and is %#x", path, number, p)
			}
			continue
		}
		if _, errno := after.handle(&request{op: opGetattr, node: number}); errno != unix.ENOENT {
			t.Errorf("%s, which is gone, is %q: %v", path, seen[number], errno)
		}
	}
}

package fuse

import (
	"testing"

	"golang.org/x/sys/unix"
)

// TestNoContent: who asks gets the last one there was, and else an error, as long as there is none.
func TestNoContent(t *testing.T) {
	var text []byte
	n := -1
	s, err := New(-1, make([]byte, SlotSize), &Table{
		Files:   []File{{"meminfo", 0, func(b []byte) []byte { return text }}},
		Counted: []Counted{{"cpu", "cpu", func() int { return n }, numbered()}},
	}, func() Now { return Now{} })
	if err != nil {
		t.Fatal(err)
	}
	span := make([]byte, readIn)
	native.PutUint32(span[16:], 4096)
	ask := func(op uint32) (string, unix.Errno) {
		data, errno := s.handle(&request{op: op, node: pathNumber("meminfo"), body: span})
		return string(data), errno
	}
	for _, op := range []uint32{opGetattr, opRead} {
		if _, errno := ask(op); errno != unix.EIO {
			t.Errorf("operation %d without a content: %v", op, errno)
		}
	}
	text, n = []byte("one\n"), 3
	ask(opGetattr)
	s.tree.counted[0].count()
	text, n = nil, -1
	s.tree.counted[0].known = false
	if _, errno := ask(opGetattr); errno != 0 {
		t.Errorf("attributes of the last content: %v", errno)
	}
	if data, errno := ask(opRead); data != "one\n" || errno != 0 {
		t.Errorf("the last content is %q: %v", data, errno)
	}
	if n := s.tree.counted[0].count(); n != 3 {
		t.Errorf("there were 3, now %d", n)
	}
}

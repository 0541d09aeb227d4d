package fuse

import (
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// numbered is what tests have below a number.
func numbered() []Numbered {
	return []Numbered{
		{"topology/id", func(b []byte, i, _ int) []byte { return append(strconv.AppendInt(b, int64(i), 10), '\n') }},
		{"topology/all", func(b []byte, _, n int) []byte { return append(strconv.AppendInt(b, int64(n), 10), '\n') }},
	}
}

// below is the number of a path below the i-th CPU.
func below(path string, i uint64) uint64 { return pathNumber("cpu/cpu*"+path)<<countedBits | i }

// TestNothingTakesMemory: what a guest asks, as often as it likes, leaves nothing behind, not
// even for a collector of garbage.
func TestNothingTakesMemory(t *testing.T) {
	s, err := New(-1, make([]byte, SlotSize), &Table{
		Files:   []File{{"meminfo", 0, func(b []byte) []byte { return append(b, "text\n"...) }}},
		Counted: []Counted{{"cpu", "cpu", func() int { return 300 }, numbered()}},
	}, func() Now { return Now{} })
	if err != nil {
		t.Fatal(err)
	}
	span := make([]byte, readIn)
	native.PutUint32(span[16:], 4096)
	for name, r := range map[string]request{
		"a name":          {op: opLookup, node: 1, body: []byte("meminfo\x00")},
		"one of many":     {op: opLookup, node: pathNumber("cpu"), body: []byte("cpu123\x00")},
		"nothing":         {op: opLookup, node: pathNumber("cpu"), body: []byte("cpu0123\x00")},
		"attributes":      {op: opGetattr, node: pathNumber("meminfo")},
		"of one of many":  {op: opGetattr, node: below("", 7)},
		"below one":       {op: opLookup, node: below("/topology", 7), body: []byte("id\x00")},
		"a read below":    {op: opRead, node: below("/topology/id", 299), body: span},
		"a listing below": {op: opReaddirplus, node: below("/topology", 299), body: span},
		"a read":          {op: opRead, node: pathNumber("meminfo"), body: span},
		"a listing":       {op: opReaddir, node: pathNumber("cpu"), body: span},
		"all of them":     {op: opReaddirplus, node: pathNumber("cpu"), body: span},
		"what isn't here": {op: 12345, node: 9},
	} {
		var errno unix.Errno
		if _, ok := s.tree.get(r.node); !ok && r.op != 12345 {
			t.Errorf("%s: there is no node %#x", name, r.node)
		}
		if n := testing.AllocsPerRun(100, func() { _, errno = s.handle(&r) }); n != 0 {
			t.Errorf("%s is answered (%d) with %v allocations", name, errno, n)
		}
	}
}

// FuzzHandle: whatever stands in the slot, the answer is one that the kernel takes, is no
// longer than what was asked for, and nothing is kept of it.
func FuzzHandle(f *testing.F) {
	add := func(op uint32, node uint64, body ...byte) {
		b := make([]byte, inHeader+len(body))
		native.PutUint32(b, uint32(len(b)))
		native.PutUint32(b[4:], op)
		native.PutUint64(b[8:], 2)
		native.PutUint64(b[16:], node)
		copy(b[inHeader:], body)
		f.Add(b)
	}
	for op := range uint32(60) {
		add(op, 1, []byte("meminfo\x00")...)
		add(op, pathNumber("meminfo"), make([]byte, readIn)...)
		for _, at := range []string{"", "/topology", "/topology/id", "/nothing"} {
			add(op, below(at, 1), append(make([]byte, 17), make([]byte, readIn)...)...)
			add(op, below(at, 2), []byte("id\x00")...)
		}
	}
	add(opRead, pathNumber("meminfo"), 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255)
	add(opReaddir, pathNumber("cpu"), append(append(make([]byte, 8), 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255), make([]byte, 20)...)...)
	add(opInit, 0, 8, 0, 0, 0, 45, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255)
	s, err := New(-1, make([]byte, SlotSize), &Table{
		Files:   []File{{"meminfo", time.Millisecond, func(b []byte) []byte { return append(b, "text\n"...) }}, {"cpu/online", time.Hour, func(b []byte) []byte { return b }}},
		Counted: []Counted{{"cpu", "cpu", func() int { return 3 }, numbered()}},
	}, func() Now { return Now{} })
	if err != nil {
		f.Fatal(err)
	}
	nodes, below := len(s.tree.nodes), len(s.tree.counted[0].nodes)
	f.Fuzz(func(t *testing.T, data []byte) {
		clear(s.slot)
		copy(s.slot, data)
		clear(s.fixed[:])
		r, ok := parse(s.slot)
		if !ok {
			return
		}
		answer, errno := s.handle(&r)
		if errno >= 512 || errno != 0 && errno != unix.ENOSYS && len(answer) > 0 && r.op != opLookup {
			t.Errorf("operation %d is answered %d with %d bytes", r.op, errno, len(answer))
		}
		most := uint32(entrySize)
		if _, size, _, ok := r.span(); ok && (r.op == opRead || r.op == opReaddir || r.op == opReaddirplus) {
			most = size
		}
		if uint32(len(answer)) > most {
			t.Errorf("operation %d is answered with %d bytes, %d fit", r.op, len(answer), most)
		}
		if len(s.tree.nodes) != nodes || len(s.tree.counted[0].nodes) != below || cap(s.scratch) > 4096 || cap(s.list) > maxWrite {
			t.Error("it takes memory")
		}
	})
}

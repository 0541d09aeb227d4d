package fuse

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

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
		add(op, 2, make([]byte, readIn)...)
		add(op, 1<<countedShift|1)
	}
	add(opRead, 2, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255)
	add(opReaddir, 3, append(append(make([]byte, 8), 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255), make([]byte, 20)...)...)
	add(opInit, 0, 8, 0, 0, 0, 45, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255)
	s, err := New(-1, make([]byte, SlotSize), &Table{
		Files:   []File{{"meminfo", time.Millisecond, func(b []byte) []byte { return append(b, "text\n"...) }}, {"cpu/online", time.Hour, func(b []byte) []byte { return b }}},
		Counted: []Counted{{"cpu", "cpu", func() int { return 3 }}},
	}, func() Now { return Now{} })
	if err != nil {
		f.Fatal(err)
	}
	nodes := len(s.tree.nodes)
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
		if _, size, _, ok := r.span(); ok && (r.op == opRead || r.op == opReaddir) {
			most = size
		}
		if uint32(len(answer)) > most {
			t.Errorf("operation %d is answered with %d bytes, %d fit", r.op, len(answer), most)
		}
		if len(s.tree.nodes) != nodes || cap(s.scratch) > 4096 || cap(s.list) > maxWrite {
			t.Error("it takes memory")
		}
	})
}

package monitor

import (
	"bytes"
	"testing"

	"golang.org/x/sys/unix"
)

// TestFiguresOutliveAMonitor: what the figures were is what the next monitor of a boot goes
// on from, and no other boot does. A write that was cut off leaves the one before.
func TestFiguresOutliveAMonitor(t *testing.T) {
	s, err := newSlots()
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(s.fd)
	first := &monitor{slots: s}
	first.beginFigures(nil, 1, false)
	first.keepFigures([]byte(`{"last_pid":7}`))
	first.keepFigures([]byte(`{"last_pid":8}`))
	next := &monitor{slots: &slots{fd: s.fd}}
	if next.beginFigures(nil, 1, true); string(next.figures.state) != `{"last_pid":8}` {
		t.Errorf("the next monitor goes on from %q", next.figures.state)
	}
	next.keepFigures(bytes.Repeat([]byte("9"), 100))
	if _, err := unix.Pwrite(s.fd, []byte("?"), figuresAt+int64(next.figures.seq%slotCount)*figureSize+slotHeader+50); err != nil {
		t.Fatal(err)
	}
	third := &monitor{slots: &slots{fd: s.fd}}
	if third.beginFigures(nil, 1, true); string(third.figures.state) != `{"last_pid":8}` {
		t.Errorf("after a write that was cut off it goes on from %q", third.figures.state)
	}
	if third.beginFigures(nil, 2, false); string(third.figures.state) != "null" {
		t.Errorf("another boot goes on from %q", third.figures.state)
	}
	third.keepFigures(bytes.Repeat([]byte("9"), figureSize-slotHeader))
	if _, data := newest(s.fd, 0, slotSize); data != nil {
		t.Errorf("it has written into the life's slots: %q", data)
	}
}

package monitor

import (
	"testing"

	"golang.org/x/sys/unix"
)

// TestFreeRow: descriptors are lined up where none is, however many there are.
func TestFreeRow(t *testing.T) {
	first := freeRow(3)
	taken, err := unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, first+2)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(taken)
	if got := freeRow(2); got != first {
		t.Errorf("two go to %d, want %d", got, first)
	}
	for _, n := range []int{3, placeStep, 2*placeStep + 1} {
		if got := freeRow(n); got <= taken {
			t.Errorf("%d go to %d, but %d is taken", n, got, taken)
		}
	}
}

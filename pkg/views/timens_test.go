package views

import (
	"testing"
	"time"
)

func TestTimeOffsets(t *testing.T) {
	for _, c := range []struct {
		mono, boot time.Duration
		want       string
	}{
		{0, 0, "monotonic 0 0\nboottime 0 0\n"},
		{time.Second, 2 * time.Second, "monotonic -1 0\nboottime -2 0\n"},
		{1500 * time.Millisecond, 3*time.Second + 1, "monotonic -2 500000000\nboottime -4 999999999\n"},
	} {
		if got := string(TimeOffsets(c.mono, c.boot)); got != c.want {
			t.Errorf("TimeOffsets(%v, %v) = %q, want %q", c.mono, c.boot, got, c.want)
		}
	}
}

package guest

import (
	"testing"
	"time"
)

// TestSilence: only one monitor that is there all the time is taken for deaf, and nobody is waited for without end.
func TestSilence(t *testing.T) {
	begin := time.Now()
	type ask struct {
		after time.Duration
		pid   int
		known bool
		want  bool
	}
	for name, asks := range map[string][]ask{
		"none is known":     {{0, 0, false, false}},
		"it lives":          {{0, 7, true, true}, {2 * time.Second, 7, true, true}, {deafPatience, 7, true, false}},
		"another one comes": {{0, 7, true, true}, {6 * time.Second, 0, true, true}, {deafPatience, 8, true, true}, {2 * deafPatience, 8, true, false}},
		"none comes":        {{0, 0, true, true}, {succession - time.Second, 0, true, true}, {succession, 0, true, false}},
	} {
		var s silence
		for i, a := range asks {
			if got := s.lasts(a.pid, a.known, begin.Add(a.after)); got != a.want {
				t.Errorf("%s: question %d: %v, want %v", name, i, got, a.want)
			}
		}
	}
}

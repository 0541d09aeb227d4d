package guard

import (
	"encoding/binary"
	"testing"
)

// runnable says whether a kernel's test run takes a frame: newer ones don't take a header of IP that is
// cut. Over a real link they come all the same.
func runnable(frame []byte) bool {
	switch binary.BigEndian.Uint16(frame[etherType:]) {
	case tIP4:
		return len(frame) >= network+20
	case tIP6:
		return len(frame) >= network+40
	}
	return true
}

func TestSamples(t *testing.T) {
	prog := load(t, program(own()))
	seen := map[string]bool{}
	for _, s := range samples() {
		if seen[s.name] {
			t.Errorf("%s: is there twice", s.name)
		}
		seen[s.name] = true
		if runnable(s.frame) && passes(t, prog, s.frame) != s.legal {
			t.Errorf("%s: passes %v, want %v", s.name, !s.legal, s.legal)
		}
	}
}

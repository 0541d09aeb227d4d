package calls

import (
	"unsafe"

	"github.com/sysct/sysct/pkg/context/seccomp"
)

// SlotsSize is the size of the memory that calls are received in, in bytes.
const SlotsSize = 4096

// slotSize is a call's place. The first one is where monitors of the first version, which
// received one call at a time, have theirs.
const slotSize = 128

const slotCount = SlotsSize / slotSize

// slots is memory that a successor gets. A slot whose id isn't zero has a call that waits
// for its answer. A worker claims the one that it receives into, and nobody else touches
// that until it lets it go.
type slots struct {
	memory  []byte
	claimed [slotCount]bool
}

func (s *slots) at(i int) *seccomp.Notification {
	return (*seccomp.Notification)(unsafe.Pointer(&s.memory[i*slotSize]))
}

func (s *slots) index(n *seccomp.Notification) int {
	return int(uintptr(unsafe.Pointer(n))-uintptr(unsafe.Pointer(&s.memory[0]))) / slotSize
}

// claim gives a slot without a call; nil: all have one.
func (s *slots) claim() *seccomp.Notification {
	for i := range slotCount {
		if n := s.at(i); !s.claimed[i] && n.ID == 0 {
			s.claimed[i] = true
			return n
		}
	}
	return nil
}

// unclaim lets a slot go; with its call if that isn't answered.
func (s *slots) unclaim(n *seccomp.Notification) { s.claimed[s.index(n)] = false }

// waiting counts the calls that nobody claims.
func (s *slots) waiting() (n int) {
	for i := range slotCount {
		if !s.claimed[i] && s.at(i).ID != 0 {
			n++
		}
	}
	return n
}

// free empties the slot of a call that nobody claims.
func (s *slots) free(id uint64) {
	for i := range slotCount {
		if n := s.at(i); !s.claimed[i] && n.ID == id {
			n.ID = 0
		}
	}
}

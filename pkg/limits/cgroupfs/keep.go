package cgroupfs

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sysct/sysct/pkg/limits"
)

// memoryMin is what a group keeps of its memory, as far as the group above it does.
const memoryMin = "memory.min"

// keepMemory has the base keep what its guests are to keep together, if knobs are about
// that. A base of a service manager's is that one's own.
func (b *Backend) keepMemory(base string, knobs []limits.Knob) error {
	if b.delegated || !slices.ContainsFunc(knobs, func(k limits.Knob) bool { return k.File == memoryMin }) {
		return nil
	}
	parent, err := openBase(b.tree.V2, base)
	if err != nil {
		return err
	}
	defer parent.close()
	return b.sumUp(parent)
}

// freeMemory has the base keep no more for a guest that is gone.
func (b *Backend) freeMemory(base string) error {
	parent, err := openBase(b.tree.V2, base)
	if gone(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer parent.close()
	if text, err := parent.read(memoryMin); gone(err) || err == nil && strings.TrimSpace(text) == "0" {
		return nil
	}
	return b.sumUp(parent)
}

// sumUp is under the host's lock: of two who come at once, the last has to see both. A guest
// of which no number can be had, as `max` that somebody has written, isn't counted: it must
// not keep others from starting.
func (b *Backend) sumUp(parent *dir) error {
	lock, err := beginChoice(b.tree.V2)
	if err != nil {
		return err
	}
	defer lock.end()
	names, err := subgroups(parent.fd)
	if err != nil {
		return err
	}
	var sum int64
	for _, name := range names {
		text, err := parent.below(name, memoryMin)
		n, parseErr := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
		if err == nil && parseErr == nil {
			sum += n
		}
	}
	err = parent.write(memoryMin, strconv.FormatInt(sum, 10))
	if gone(err) {
		return nil
	}
	return err
}

// warnOfSlice says that a service manager's group doesn't keep what the guest is to keep:
// then nothing is kept.
func (m *maker) warnOfSlice() {
	if !m.delegated || m.limits.MemoryMin == nil {
		return
	}
	text, err := m.parent.read(memoryMin)
	n, parseErr := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err == nil && parseErr == nil && n < *m.limits.MemoryMin {
		m.warnings = append(m.warnings, fmt.Sprintf("limits.memory_min: %s keeps %d bytes, and no guest in it more: systemctl set-property %s MemoryMin=…", m.base, n, m.base))
	}
}

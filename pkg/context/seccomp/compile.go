package seccomp

import (
	"cmp"
	"fmt"
	"runtime"
	"slices"

	"golang.org/x/sys/unix"
)

// Arch is an architecture with all ABIs that its kernels offer, by Go's name.
type Arch string

// The architectures that a filter can be built for.
const (
	AMD64 Arch = "amd64" // with i386; x32 is refused whole
	ARM64 Arch = "arm64" // with 32-bit arm (EABI)
)

// skipped is the number that a tracer writes to have a call skipped (-1). The kernel runs
// nothing for it; any verdict but allow would overwrite the result that the tracer chose.
const skipped = 0xffffffff

// An abi is one way into the kernel: what seccomp_data.arch says, and its column of calls.
type abi struct {
	audit  uint32
	number func(*call) int32
}

// abis returns the native ABI first: its programs then pass one comparison.
func (a Arch) abis() []abi {
	switch a {
	case AMD64:
		// x32 has the native audit word, and numbers with bit 30: all unknown here.
		return []abi{
			{unix.AUDIT_ARCH_X86_64, func(c *call) int32 { return c.amd64 }},
			{unix.AUDIT_ARCH_I386, func(c *call) int32 { return c.i386 }},
		}
	case ARM64:
		return []abi{
			{unix.AUDIT_ARCH_AARCH64, func(c *call) int32 { return c.arm64 }},
			{unix.AUDIT_ARCH_ARM, func(c *call) int32 { return c.arm }},
		}
	}
	return nil
}

// Build returns the filter for the running architecture; see BuildFor.
func Build(p Policy) ([]unix.SockFilter, error) {
	return BuildFor(Arch(runtime.GOARCH), p)
}

// BuildFor returns the filter for arch. Errors: an unknown arch, or a name in p.Notify
// that is unknown or already refused. A process of an ABI that isn't described is
// killed at its first call: no such ABI exists on the described architectures.
//
// Verdicts that don't depend on arguments are reached by loads of arch and number,
// comparisons and jumps alone. The kernel recognises this (5.11 and later) and then lets
// the native ABI's allowed calls pass without running the filter.
func BuildFor(arch Arch, p Policy) ([]unix.SockFilter, error) {
	rules, err := p.rules()
	if err != nil {
		return nil, err
	}
	abis := arch.abis()
	if len(abis) == 0 {
		return nil, fmt.Errorf("cannot build a system call filter: architecture %q is not described", arch)
	}
	prog := ret(unix.SECCOMP_RET_KILL_PROCESS)
	for _, a := range slices.Backward(abis) {
		prog = ifEqual(a.audit, load(offNumber, search(a.segments(rules))), prog)
	}
	return load(offArch, prog), nil
}

// A segment is a run of numbers, from first up to the next segment, with one verdict.
type segment struct {
	first   uint32
	verdict block
}

// segments divides all numbers, from 0 up, by their verdicts.
func (a abi) segments(rules map[string]block) []segment {
	unknown := fail(unix.ENOSYS)
	list := []segment{{0, unknown}}
	next := uint32(0)
	for _, s := range a.known(rules) {
		if s.first != next {
			list = extend(list, segment{next, unknown})
		}
		list = extend(list, s)
		next = s.first + 1
	}
	return list
}

// known returns a segment for each single number of the ABI, in their order.
func (a abi) known(rules map[string]block) []segment {
	allow := ret(unix.SECCOMP_RET_ALLOW)
	list := append(make([]segment, 0, len(calls)+1), segment{skipped, allow})
	for i := range calls {
		n := a.number(&calls[i])
		if n == none {
			continue
		}
		verdict, special := rules[calls[i].name]
		if !special {
			verdict = allow
		}
		list = append(list, segment{uint32(n), verdict})
	}
	slices.SortFunc(list, func(x, y segment) int { return cmp.Compare(x.first, y.first) })
	return list
}

// extend appends s, unless it only continues the last segment or takes its whole place.
func extend(list []segment, s segment) []segment {
	last := &list[len(list)-1]
	switch {
	case slices.Equal(last.verdict, s.verdict):
		return list
	case last.first == s.first:
		*last = s
		return list
	}
	return append(list, s)
}

// search returns a binary search for the loaded number's segment. It takes some seven
// comparisons for any call, and the program stays within a tenth of the kernel's 4,096.
func search(list []segment) block {
	if len(list) == 1 {
		return list[0].verdict
	}
	mid := len(list) / 2
	return ifAtLeast(list[mid].first, search(list[mid:]), search(list[:mid]))
}

package seccomp

import (
	"slices"

	"golang.org/x/sys/unix"
)

// Offsets into struct seccomp_data, which is what a filter can read.
const (
	offNumber = 0
	offArch   = 4
	offArgs   = 16
)

// maxJump is the reach of a conditional jump in classic BPF, whose offsets are bytes.
const maxJump = 255

// A block is a piece of classic BPF that ends in a return on every path. Blocks are
// put together without labels: whatever follows a block is reached only by a jump.
type block []unix.SockFilter

// ret returns the block that ends the filter with a verdict.
func ret(verdict uint32) block {
	return block{{Code: unix.BPF_RET | unix.BPF_K, K: verdict}}
}

// fail returns the block that makes the system call fail with errno.
func fail(errno unix.Errno) block {
	return ret(unix.SECCOMP_RET_ERRNO | uint32(errno)&unix.SECCOMP_RET_DATA)
}

// load returns the block that loads the 32-bit word at off and goes on with next.
func load(off uint32, next block) block {
	return append(block{{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: off}}, next...)
}

// loadArg is load of the low half of system call argument n. Every ABI described here
// is little endian. The kernel itself drops the high half of an int argument, so a check
// of all 64 bits would be fooled by rubbish in the upper ones.
func loadArg(n uint32, next block) block {
	return load(offArgs+8*n, next)
}

// ifEqual returns the block that goes on with yes if the loaded word is k, else with no.
func ifEqual(k uint32, yes, no block) block {
	return branch(unix.BPF_JEQ, k, yes, no)
}

// ifAnyOf is ifEqual for the words of a list. yes is laid out once for each.
func ifAnyOf(yes, no block, list ...uint32) block {
	for _, k := range slices.Backward(list) {
		no = ifEqual(k, yes, no)
	}
	return no
}

// ifAtLeast returns the block that goes on with yes if the loaded word is k or more
// (unsigned), else with no.
func ifAtLeast(k uint32, yes, no block) block {
	return branch(unix.BPF_JGE, k, yes, no)
}

// ifAnyBit returns the block that goes on with yes if the loaded word has a bit of mask, else
// with no.
func ifAnyBit(mask uint32, yes, no block) block {
	return branch(unix.BPF_JSET, mask, yes, no)
}

// branch lays yes directly behind the jump, no behind yes. Where yes is longer than a
// conditional jump reaches, an unconditional one, whose offset has 32 bits, helps out.
func branch(op uint16, k uint32, yes, no block) block {
	jump := unix.SockFilter{Code: unix.BPF_JMP | op | unix.BPF_K, K: k}
	out := make(block, 0, len(yes)+len(no)+2)
	if len(yes) <= maxJump {
		jump.Jf = uint8(len(yes))
		out = append(out, jump)
	} else {
		jump.Jt = 1
		over := unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JA, K: uint32(len(yes))}
		out = append(out, jump, over)
	}
	return append(append(out, yes...), no...)
}

package devices

import (
	"github.com/sysct/sysct/internal/bpf"
	"golang.org/x/sys/unix"
)

// The registers of a program. The kernel calls it with a pointer to struct bpf_cgroup_dev_ctx
// {access_type, major, minor} in r1, and takes the verdict, 1 or 0, from r0.
const (
	regVerdict = 0
	regContext = 1
	regType    = 2
	regAccess  = 3
	regMajor   = 4
	regMinor   = 5
)

// program returns the code for rules: each is tried in turn, the first that allows
// the access ends the program, and behind the last one all is denied.
func program(rules []Rule) []bpf.Instruction {
	out := []bpf.Instruction{
		loadField(regType, 0),
		loadField(regMajor, 4),
		loadField(regMinor, 8),
		// access_type has the access in its upper half, the type in its lower one.
		bpf.Op(unix.BPF_ALU64|unix.BPF_MOV|unix.BPF_X, regAccess, regType, 0, 0),
		bpf.Op(unix.BPF_ALU64|unix.BPF_RSH|unix.BPF_K, regAccess, 0, 0, 16),
		bpf.Op(unix.BPF_ALU64|unix.BPF_AND|unix.BPF_K, regType, 0, 0, 0xffff),
	}
	for _, r := range rules {
		out = append(out, r.code()...)
	}
	return append(out, verdict(0)...)
}

// code returns what allows r's access, and jumps behind itself where r doesn't match.
func (r Rule) code() []bpf.Instruction {
	var tests []bpf.Instruction
	if r.Type != AnyType {
		tests = append(tests, skipIf(unix.BPF_JNE, regType, int32(r.Type)))
	}
	if r.Major != Any {
		tests = append(tests, skipIf(unix.BPF_JNE, regMajor, r.Major))
	}
	if r.Minor != Any {
		tests = append(tests, skipIf(unix.BPF_JNE, regMinor, r.Minor))
	}
	// Always there: bits beyond the known ones, of a newer kernel, are denied too.
	tests = append(tests, skipIf(unix.BPF_JSET, regAccess, ^int32(r.Access)))
	out := append(tests, verdict(1)...)
	for i := range tests {
		out[i].Offset = int16(len(out) - i - 1)
	}
	return out
}

// skipIf returns a conditional jump whose offset is yet to be set.
func skipIf(op, reg uint8, imm int32) bpf.Instruction {
	return bpf.Op(unix.BPF_JMP|op|unix.BPF_K, reg, 0, 0, imm)
}

// loadField loads the 32-bit field of the context at offset.
func loadField(reg uint8, offset int16) bpf.Instruction {
	return bpf.Op(unix.BPF_LDX|unix.BPF_MEM|unix.BPF_W, reg, regContext, offset, 0)
}

func verdict(v int32) []bpf.Instruction {
	return []bpf.Instruction{
		bpf.Op(unix.BPF_ALU64|unix.BPF_MOV|unix.BPF_K, regVerdict, 0, 0, v),
		bpf.Op(unix.BPF_JMP|unix.BPF_EXIT, 0, 0, 0, 0),
	}
}

package devices

import "golang.org/x/sys/unix"

// An instruction is struct bpf_insn: the registers share a byte, destination in the low half.
type instruction struct {
	code   uint8
	regs   uint8
	offset int16
	imm    int32
}

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
func program(rules []Rule) []instruction {
	out := []instruction{
		loadField(regType, 0),
		loadField(regMajor, 4),
		loadField(regMinor, 8),
		// access_type has the access in its upper half, the type in its lower one.
		{unix.BPF_ALU64 | unix.BPF_MOV | unix.BPF_X, regAccess | regType<<4, 0, 0},
		{unix.BPF_ALU64 | unix.BPF_RSH | unix.BPF_K, regAccess, 0, 16},
		{unix.BPF_ALU64 | unix.BPF_AND | unix.BPF_K, regType, 0, 0xffff},
	}
	for _, r := range rules {
		out = append(out, r.code()...)
	}
	return append(out, verdict(0)...)
}

// code returns what allows r's access, and jumps behind itself where r doesn't match.
func (r Rule) code() []instruction {
	var tests []instruction
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
		out[i].offset = int16(len(out) - i - 1)
	}
	return out
}

// skipIf returns a conditional jump whose offset is yet to be set.
func skipIf(op, reg uint8, imm int32) instruction {
	return instruction{unix.BPF_JMP | op | unix.BPF_K, reg, 0, imm}
}

// loadField loads the 32-bit field of the context at offset.
func loadField(reg uint8, offset int16) instruction {
	return instruction{unix.BPF_LDX | unix.BPF_MEM | unix.BPF_W, reg | regContext<<4, offset, 0}
}

func verdict(v int32) []instruction {
	return []instruction{
		{unix.BPF_ALU64 | unix.BPF_MOV | unix.BPF_K, regVerdict, 0, v},
		{unix.BPF_JMP | unix.BPF_EXIT, 0, 0, 0},
	}
}

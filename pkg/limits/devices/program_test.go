package devices

import (
	"slices"
	"testing"

	"github.com/sysct/sysct/internal/bpf"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

// A request is what the kernel asks a device program about.
type request struct {
	kind         Type
	major, minor uint32
	access       Access
}

// allowed says in plain words what a program is to decide.
func allowed(rules []Rule, q request) bool {
	return slices.ContainsFunc(rules, func(r Rule) bool {
		return (r.Type == AnyType || r.Type == q.kind) &&
			(r.Major == Any || uint32(r.Major) == q.major) &&
			(r.Minor == Any || uint32(r.Minor) == q.minor) &&
			q.access&^r.Access == 0
	})
}

// run interprets the few instructions that programs are made of.
func run(t rapid.TB, code []bpf.Instruction, q request) bool {
	var reg [16]uint64
	context := [3]uint32{uint32(q.access)<<16 | uint32(q.kind), q.major, q.minor}
	for pc := 0; pc < len(code); pc++ {
		in := code[pc]
		dst, src, imm := &reg[in.Regs&15], in.Regs>>4, uint64(int64(in.Imm))
		switch in.Code {
		case unix.BPF_LDX | unix.BPF_MEM | unix.BPF_W:
			*dst = uint64(context[in.Offset/4])
		case unix.BPF_ALU64 | unix.BPF_MOV | unix.BPF_X:
			*dst = reg[src]
		case unix.BPF_ALU64 | unix.BPF_MOV | unix.BPF_K:
			*dst = imm
		case unix.BPF_ALU64 | unix.BPF_RSH | unix.BPF_K:
			*dst >>= imm
		case unix.BPF_ALU64 | unix.BPF_AND | unix.BPF_K:
			*dst &= imm
		case unix.BPF_JMP | unix.BPF_JNE | unix.BPF_K:
			if *dst != imm {
				pc += int(in.Offset)
			}
		case unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K:
			if *dst&imm != 0 {
				pc += int(in.Offset)
			}
		case unix.BPF_JMP | unix.BPF_EXIT:
			return reg[regVerdict] == 1
		default:
			t.Fatalf("instruction %d: code %#x", pc, in.Code)
		}
	}
	t.Fatalf("the program runs out at its end")
	return false
}

func TestDefaultRules(t *testing.T) {
	code := program(Default())
	for _, c := range []struct {
		name string
		q    request
		want bool
	}{
		{"null", request{Char, 1, 3, Read | Write}, true},
		{"zero", request{Char, 1, 5, Read}, true},
		{"full", request{Char, 1, 7, Write}, true},
		{"random", request{Char, 1, 8, Read | Write}, true},
		{"urandom", request{Char, 1, 9, Read | Write | Mknod}, true},
		{"tty", request{Char, 5, 0, Read | Write}, true},
		{"console", request{Char, 5, 1, Read | Write}, true},
		{"ptmx", request{Char, 5, 2, Read | Write}, true},
		{"pts/0", request{Char, 136, 0, Read | Write}, true},
		{"pts/1000000", request{Char, 136, 1000000, Read | Write}, true},
		{"mem", request{Char, 1, 1, Read}, false},
		{"kmsg", request{Char, 1, 11, Write}, false},
		{"tty0", request{Char, 4, 0, Read | Write}, false},
		{"the second block of ptys", request{Char, 137, 0, Read}, false},
		{"fuse", request{Char, 10, 229, Read | Write}, false},
		{"ram3, a block device with the numbers of null", request{Block, 1, 3, Read}, false},
		{"a disk", request{Block, 254, 0, Read}, false},
		{"the node of a disk", request{Block, 254, 0, Mknod}, true},
		{"the node of mem", request{Char, 1, 1, Mknod}, true},
		{"making and reading at once", request{Char, 1, 1, Mknod | Read}, false},
		{"an access that isn't known", request{Char, 1, 3, Read | 8}, false},
	} {
		if got := run(t, code, c.q); got != c.want {
			t.Errorf("%s: allowed %v, want %v", c.name, got, c.want)
		}
	}
}

func TestProgramFollowsRules(t *testing.T) {
	kinds := rapid.SampledFrom([]Type{Block, Char})
	rules := rapid.SliceOf(rapid.Custom(func(t *rapid.T) Rule {
		return Rule{rapid.SampledFrom([]Type{AnyType, Block, Char}).Draw(t, "type"), rapid.Int32Range(Any, 3).Draw(t, "major"),
			rapid.Int32Range(Any, 3).Draw(t, "minor"), Access(rapid.Uint32Range(0, 7).Draw(t, "access"))}
	}))
	rapid.Check(t, func(t *rapid.T) {
		list := rules.Draw(t, "rules")
		q := request{kinds.Draw(t, "kind"), rapid.Uint32Range(0, 3).Draw(t, "major"), rapid.Uint32Range(0, 3).Draw(t, "minor"),
			Access(rapid.Uint32Range(0, 15).Draw(t, "access"))}
		if got, want := run(t, program(list), q), allowed(list, q); got != want {
			t.Fatalf("%+v under %+v: allowed %v, want %v", q, list, got, want)
		}
	})
}

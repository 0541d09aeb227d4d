package guard

import (
	"fmt"
	"slices"
	"testing"

	"github.com/sysct/sysct/internal/bpf"
	"golang.org/x/sys/unix"
)

// nothing is an instruction that does nothing.
var nothing = bpf.Op(unix.BPF_JMP|unix.BPF_JA, 0, 0, 0, 0)

// isCheck says whether an instruction is one by which a frame is told from another: a jump on
// a condition, or a step of must.
func isCheck(in bpf.Instruction) bool {
	switch in.Code & 7 {
	case unix.BPF_JMP, unix.BPF_JMP32:
		op := in.Code & 0xf0
		return op != unix.BPF_JA && op != unix.BPF_CALL && op != unix.BPF_EXIT
	case unix.BPF_ALU64:
		return in.Code == unix.BPF_ALU64|unix.BPF_OR|unix.BPF_X && in.Regs&15 == wrong
	}
	return false
}

// TestEveryCheckIsNeeded takes the checks out of the program one by one: a sample must then have
// another verdict, or the kernel finds code that nothing leads to.
func TestEveryCheckIsNeeded(t *testing.T) {
	list := slices.DeleteFunc(samples(), func(s sample) bool { return !runnable(s.frame) })
	code := program(own())
	checked, refused := 0, 0
	for i, in := range code {
		if !isCheck(in) || i > 0 && code[i-1].Regs>>4 == frame && in.Code&7 == unix.BPF_ALU64 {
			continue // or it is about a VLAN's tag, which a test run can't have: TestHostileGuest sends them
		}
		mutant := slices.Clone(code)
		mutant[i] = nothing
		prog, err := bpf.Load(unix.BPF_PROG_TYPE_SCHED_CLS, "sysct_mutant", mutant)
		if err != nil {
			refused++
			continue
		}
		checked++
		if !slices.ContainsFunc(list, func(s sample) bool { return passes(t, prog, s.frame) != s.legal }) {
			t.Errorf("no sample misses instruction %d: %s", i, describe(code, i))
		}
		unix.Close(prog)
	}
	if checked < 90 || refused > 20 {
		t.Errorf("%d checks were taken out, %d were refused", checked, refused)
	}
	t.Log(checked, refused)
}

func describe(code []bpf.Instruction, i int) string {
	return fmt.Sprintf("%+v, behind %+v", code[i], code[max(0, i-3):i])
}

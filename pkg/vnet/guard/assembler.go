package guard

import (
	"encoding/binary"
	"fmt"

	"github.com/sysct/sysct/internal/bpf"
	"golang.org/x/sys/unix"
)

// The registers: r0 to r5 are lost at every call, r6 to r9 kept. r10 is the stack's upper end.
const (
	r0 = iota
	r1
	r2
	r3
	r4
	r5
	frame // the frame's struct __sk_buff
	at    // where in the frame the header stands that is next
	kind  // IPv4: the fragment field; IPv6: the next header
	more  // IPv4: the protocol; IPv6: whether there is a source address; options: the last one's end
	stack
)

// Places on the stack, below its end. They are such that every field lies at a multiple of its size,
// or of two: that is how the verifier wants the stack to be read.
const (
	head   = -66  // the frame's first 54 bytes: Ethernet and ARP, IPv4's first 20 bytes, IPv6
	piece  = -112 // up to 40 bytes of what is behind it
	option = -120 // 8 bytes, of an option
)

// The labels that all parts of the program know.
const (
	pass = "pass"
	drop = "drop"
)

// wrong is where comparisons leave whether the frame is to be dropped: not zero. A call sets it anew.
const wrong = r0

// The loads of 1, 2 and 4 bytes.
const (
	byte1 = unix.BPF_B
	byte2 = unix.BPF_H
	byte4 = unix.BPF_W
)

// An assembler writes instructions one behind the other, and fills in the jumps at the end.
type assembler struct {
	code   []bpf.Instruction
	labels map[string]int
	jumps  map[int]string // by instruction, where it leads
	count  int            // of labels that fresh has made
}

func newAssembler() *assembler {
	return &assembler{labels: map[string]int{}, jumps: map[int]string{}}
}

func (a *assembler) emit(code, destination, source uint8, offset int16, imm int32) {
	a.code = append(a.code, bpf.Op(code, destination, source, offset, imm))
}

// label names the next instruction.
func (a *assembler) label(name string) { a.labels[name] = len(a.code) }

// fresh is a label that no other part uses.
func (a *assembler) fresh() string {
	a.count++
	return fmt.Sprint("#", a.count)
}

// finish is the code with its jumps. All of them lead forward: no program loops.
func (a *assembler) finish() []bpf.Instruction {
	for i, to := range a.jumps {
		a.code[i].Offset = int16(a.labels[to] - i - 1)
	}
	return a.code
}

// jump goes to the label if the lower 32 bits of the register and imm are as op says. Jumps are
// dear: the kernel's verifier takes microseconds for each, and every start of a guest waits for it.
func (a *assembler) jump(op, reg uint8, imm uint32, to string) {
	a.jumps[len(a.code)] = to
	a.emit(unix.BPF_JMP32|op|unix.BPF_K, reg, 0, 0, int32(imm))
}

func (a *assembler) ifEqual(reg uint8, imm uint32, to string)   { a.jump(unix.BPF_JEQ, reg, imm, to) }
func (a *assembler) ifNot(reg uint8, imm uint32, to string)     { a.jump(unix.BPF_JNE, reg, imm, to) }
func (a *assembler) ifAny(reg uint8, bits uint32, to string)    { a.jump(unix.BPF_JSET, reg, bits, to) }
func (a *assembler) ifAbove(reg uint8, limit uint32, to string) { a.jump(unix.BPF_JGT, reg, limit, to) }
func (a *assembler) ifBelow(reg uint8, limit uint32, to string) { a.jump(unix.BPF_JLT, reg, limit, to) }

func (a *assembler) ifSame(reg, other uint8, to string) {
	a.jumps[len(a.code)] = to
	a.emit(unix.BPF_JMP|unix.BPF_JEQ|unix.BPF_X, reg, other, 0, 0)
}

func (a *assembler) goTo(to string) {
	a.jumps[len(a.code)] = to
	a.emit(unix.BPF_JMP|unix.BPF_JA, 0, 0, 0, 0)
}

// set, copy, math and mathOf are about all 64 bits of a register.
func (a *assembler) set(reg uint8, imm int32) { a.math(unix.BPF_MOV, reg, imm) }
func (a *assembler) copy(reg, other uint8)    { a.mathOf(unix.BPF_MOV, reg, other) }
func (a *assembler) math(op, reg uint8, imm int32) {
	a.emit(unix.BPF_ALU64|op|unix.BPF_K, reg, 0, 0, imm)
}
func (a *assembler) mathOf(op, reg, other uint8) {
	a.emit(unix.BPF_ALU64|op|unix.BPF_X, reg, other, 0, 0)
}

// setLong sets a register to a number that is too long for an instruction: it takes two.
func (a *assembler) setLong(reg uint8, n uint64) {
	a.emit(unix.BPF_LD|unix.BPF_IMM|unix.BPF_DW, reg, 0, 0, int32(n))
	a.emit(0, 0, 0, 0, int32(n>>32))
}

// xor is about the lower 32 bits, the others are zero afterwards.
func (a *assembler) xor(reg uint8, imm uint32) {
	a.emit(unix.BPF_ALU|unix.BPF_XOR|unix.BPF_K, reg, 0, 0, int32(imm))
}

// hostOrder turns the 16 bits of a register that are in network order.
func (a *assembler) hostOrder(reg uint8) {
	a.emit(unix.BPF_ALU|unix.BPF_END|unix.BPF_TO_BE, reg, 0, 0, 16)
}

// get reads from the stack. More than one byte comes as it is in memory: compare it with what
// word and half give.
func (a *assembler) get(size, reg uint8, place int16) {
	a.emit(unix.BPF_LDX|unix.BPF_MEM|size, reg, stack, place, 0)
}

// fetch copies n bytes at "at" + behind of the frame to a place on the stack. Where the frame
// isn't as long, wrong is set and the bytes are zero. The call does for frames of any form;
// reading them in place works for those in one piece only, and a guest chooses the form
// (packet(7), PACKET_TX_RING).
func (a *assembler) fetch(behind int32, place int16, n int32) {
	const skbLoadBytes = 26 // BPF_FUNC_skb_load_bytes
	a.copy(r1, frame)
	a.copy(r2, at)
	if behind != 0 {
		a.math(unix.BPF_ADD, r2, behind)
	}
	a.copy(r3, stack)
	a.math(unix.BPF_ADD, r3, int32(place))
	a.set(r4, n)
	a.emit(unix.BPF_JMP|unix.BPF_CALL, 0, 0, 0, skbLoadBytes)
}

// must sets wrong if what is on the stack isn't as it must be, dropWrong looks at it: many comparisons, one jump.
func (a *assembler) must(size uint8, place int16, be uint32) {
	a.get(size, r1, place)
	a.xor(r1, be)
	a.mathOf(unix.BPF_OR, wrong, r1)
}

func (a *assembler) dropWrong() { a.ifNot(wrong, 0, drop) }

// end ends the program with a verdict.
func (a *assembler) end(verdict int32) {
	a.set(r0, verdict)
	a.emit(unix.BPF_JMP|unix.BPF_EXIT, 0, 0, 0, 0)
}

// word and half are four and two bytes of a frame as a register has them after get.
func word(b ...byte) uint32 { return binary.NativeEndian.Uint32(b) }
func half(n uint16) uint32 {
	return uint32(binary.NativeEndian.Uint16([]byte{byte(n >> 8), byte(n)}))
}

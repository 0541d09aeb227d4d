package seccomp

import (
	"encoding/binary"
	"fmt"
	"testing"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// An event is a system call as a filter sees it.
type event struct {
	number, arch uint32
	args         [6]uint64
}

// bytes lays an event out as struct seccomp_data with words in the order that the
// interpreter of golang.org/x/net/bpf loads them in, which is the network's.
func (e event) bytes() []byte {
	b := make([]byte, 64)
	binary.BigEndian.PutUint32(b[offNumber:], e.number)
	binary.BigEndian.PutUint32(b[offArch:], e.arch)
	for i, a := range e.args {
		binary.BigEndian.PutUint32(b[offArgs+8*i:], uint32(a))
		binary.BigEndian.PutUint32(b[offArgs+8*i+4:], uint32(a>>32))
	}
	return b
}

// A machine runs one built filter.
type machine struct {
	t    *testing.T
	prog []unix.SockFilter
	vm   *bpf.VM
}

func newMachine(t *testing.T, arch Arch, p Policy) *machine {
	t.Helper()
	prog, err := BuildFor(arch, p)
	if err != nil {
		t.Fatal(err)
	}
	return machineOf(t, prog)
}

func machineOf(t *testing.T, prog []unix.SockFilter) *machine {
	t.Helper()
	raw := make([]bpf.RawInstruction, len(prog))
	for i, f := range prog {
		raw[i] = bpf.RawInstruction{Op: f.Code, Jt: f.Jt, Jf: f.Jf, K: f.K}
	}
	ins, whole := bpf.Disassemble(raw)
	if !whole {
		t.Fatal("the interpreter does not know an instruction of the filter")
	}
	vm, err := bpf.NewVM(ins)
	if err != nil {
		t.Fatal(err)
	}
	return &machine{t, prog, vm}
}

func (m *machine) run(e event) uint32 {
	m.t.Helper()
	v, err := m.vm.Run(e.bytes())
	if err != nil {
		m.t.Fatal(err)
	}
	return uint32(v)
}

// steps counts the instructions that e takes, and tells whether its verdict needed nothing
// but arch and number: what the kernel looks for before it caches an allowed call.
func (m *machine) steps(e event) (n int, constant bool) {
	data, constant := e.bytes(), true
	var word uint32
	for pc := 0; ; pc++ {
		in := m.prog[pc]
		n++
		switch in.Code {
		case unix.BPF_RET | unix.BPF_K:
			return n, constant
		case unix.BPF_LD | unix.BPF_W | unix.BPF_ABS:
			word = binary.BigEndian.Uint32(data[in.K:])
			constant = constant && in.K < 8
		case unix.BPF_JMP | unix.BPF_JA:
			pc += int(in.K)
		case unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K:
			pc += choose(word == in.K, in)
		case unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K:
			pc += choose(word >= in.K, in)
		default:
			m.t.Fatalf("instruction %d: code %#x", pc, in.Code)
		}
	}
}

func choose(yes bool, in unix.SockFilter) int {
	if yes {
		return int(in.Jt)
	}
	return int(in.Jf)
}

// describe names a verdict for messages and comparisons.
func describe(v uint32) string {
	switch v & unix.SECCOMP_RET_ACTION_FULL {
	case unix.SECCOMP_RET_ALLOW:
		return "allow"
	case unix.SECCOMP_RET_ERRNO:
		return unix.ErrnoName(unix.Errno(v & unix.SECCOMP_RET_DATA))
	case unix.SECCOMP_RET_USER_NOTIF:
		return "notify"
	case unix.SECCOMP_RET_KILL_PROCESS:
		return "kill"
	}
	return fmt.Sprintf("%#x", v)
}

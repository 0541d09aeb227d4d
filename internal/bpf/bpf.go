// Package bpf loads programs for the kernel's eBPF machine by bpf(2). What a program does is
// written by its package, in instructions.
package bpf

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// An Instruction is struct bpf_insn: the registers share a byte, destination in the low half.
type Instruction struct {
	Code   uint8
	Regs   uint8
	Offset int16
	Imm    int32
}

// Op is an instruction by its parts.
func Op(code, destination, source uint8, offset int16, imm int32) Instruction {
	return Instruction{Code: code, Regs: destination | source<<4, Offset: offset, Imm: imm}
}

// loadAttr is the part of union bpf_attr for BPF_PROG_LOAD up to the program's name. Pointers
// take 64 bits there, as they do on all architectures that sysct runs on.
type loadAttr struct {
	kind          uint32
	count         uint32
	instructions  unsafe.Pointer
	license       unsafe.Pointer
	logLevel      uint32
	logSize       uint32
	log           unsafe.Pointer
	kernelVersion uint32
	flags         uint32
	name          [16]byte
}

// loadTries bounds the attempts to load: the verifier gives up with EAGAIN when a signal is
// pending, and the Go runtime sends its threads signals all the time.
const loadTries = 30

// Load has the kernel check code and take it as a program of the kind, one of BPF_PROG_TYPE_*,
// under a name of up to 15 letters, digits, dots and low lines. The descriptor is
// close-on-exec. Errors carry the errno of bpf(2): EPERM without the capabilities that the kind
// asks for, and where the kernel's verifier refused the code, EINVAL or EACCES with what it said.
func Load(kind uint32, name string, code []Instruction) (fd int, err error) {
	license := []byte("Apache-2.0\x00")
	attr := loadAttr{
		kind:         kind,
		count:        uint32(len(code)),
		instructions: unsafe.Pointer(&code[0]),
		license:      unsafe.Pointer(&license[0]),
	}
	copy(attr.name[:len(attr.name)-1], name)
	fd, err = load(&attr)
	if !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.EACCES) {
		return fd, err
	}
	log := make([]byte, 1<<20)
	attr.logLevel, attr.logSize, attr.log = 1, uint32(len(log)), unsafe.Pointer(&log[0])
	if fd, err = load(&attr); err == nil {
		return fd, nil
	}
	return -1, fmt.Errorf("%w%s", err, complaint(log))
}

func load(attr *loadAttr) (fd int, err error) {
	for range loadTries {
		fd, err = Call(unix.BPF_PROG_LOAD, unsafe.Pointer(attr), unsafe.Sizeof(*attr))
		if !errors.Is(err, unix.EAGAIN) {
			break
		}
	}
	return fd, err
}

// complaint is the verifier's sentence: the last but its figures.
func complaint(log []byte) string {
	text, _, _ := bytes.Cut(log, []byte{0})
	said := ""
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "processed ") {
			said = ": " + line
		}
	}
	return said
}

// Call is bpf(2). File descriptors that it makes are close-on-exec.
func Call(command uintptr, attr unsafe.Pointer, size uintptr) (int, error) {
	r, _, errno := unix.Syscall(unix.SYS_BPF, command, uintptr(attr), size)
	if errno != 0 {
		return -1, errno
	}
	return int(r), nil
}

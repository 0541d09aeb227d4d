package devices

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Attach holds the cgroup v2 group whose directory is open as cgroupFD to rules, with all groups
// below it. Programs add up: where several are attached, on the group or above it, all must
// allow an access. What is open already stays open. Errors carry the errno of bpf(2): EPERM
// without CAP_BPF and CAP_NET_ADMIN, EBADF where cgroupFD is no such directory, EINVAL from
// a kernel without CONFIG_CGROUP_BPF.
func Attach(cgroupFD int, rules []Rule) error {
	prog, err := loadProgram(program(rules))
	if err != nil {
		return fmt.Errorf("cannot load device program: %w", err)
	}
	defer unix.Close(prog) // the group holds a reference of its own
	attr := attachAttr{
		target: uint32(cgroupFD),
		prog:   uint32(prog),
		kind:   unix.BPF_CGROUP_DEVICE,
		flags:  unix.BPF_F_ALLOW_MULTI, // a program that systemd attached stays in force beside it
	}
	if _, err := bpf(unix.BPF_PROG_ATTACH, unsafe.Pointer(&attr), unsafe.Sizeof(attr)); err != nil {
		return fmt.Errorf("cannot attach device program: %w", err)
	}
	return nil
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

// attachAttr is the part of union bpf_attr for BPF_PROG_ATTACH.
type attachAttr struct {
	target, prog, kind, flags uint32
}

// loadTries bounds the attempts to load: the verifier gives up with EAGAIN when a signal is
// pending, and the Go runtime sends its threads signals all the time.
const loadTries = 30

func loadProgram(code []instruction) (fd int, err error) {
	license := []byte("Apache-2.0\x00")
	attr := loadAttr{
		kind:         unix.BPF_PROG_TYPE_CGROUP_DEVICE,
		count:        uint32(len(code)),
		instructions: unsafe.Pointer(&code[0]),
		license:      unsafe.Pointer(&license[0]),
	}
	copy(attr.name[:], "sysct_devices")
	for range loadTries {
		fd, err = bpf(unix.BPF_PROG_LOAD, unsafe.Pointer(&attr), unsafe.Sizeof(attr))
		if !errors.Is(err, unix.EAGAIN) {
			break
		}
	}
	return fd, err
}

// bpf calls bpf(2). File descriptors that it makes are close-on-exec.
func bpf(command uintptr, attr unsafe.Pointer, size uintptr) (int, error) {
	r, _, errno := unix.Syscall(unix.SYS_BPF, command, uintptr(attr), size)
	if errno != 0 {
		return -1, errno
	}
	return int(r), nil
}

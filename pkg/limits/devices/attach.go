package devices

import (
	"fmt"
	"unsafe"

	"github.com/sysct/sysct/internal/bpf"
	"golang.org/x/sys/unix"
)

// Attach holds the cgroup v2 group whose directory is open as cgroupFD to rules, with all groups
// below it. Programs add up: where several are attached, on the group or above it, all must
// allow an access. What is open already stays open. Errors carry the errno of bpf(2): EPERM
// without CAP_BPF and CAP_NET_ADMIN, EBADF where cgroupFD is no such directory, EINVAL from
// a kernel without CONFIG_CGROUP_BPF.
func Attach(cgroupFD int, rules []Rule) error {
	prog, err := bpf.Load(unix.BPF_PROG_TYPE_CGROUP_DEVICE, "sysct_devices", program(rules))
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
	if _, err := bpf.Call(unix.BPF_PROG_ATTACH, unsafe.Pointer(&attr), unsafe.Sizeof(attr)); err != nil {
		return fmt.Errorf("cannot attach device program: %w", err)
	}
	return nil
}

// attachAttr is the part of union bpf_attr for BPF_PROG_ATTACH.
type attachAttr struct {
	target, prog, kind, flags uint32
}

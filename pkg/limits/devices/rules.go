// Package devices holds a cgroup v2 group to an allow-list of device nodes, by a BPF program
// of the kernel's cgroup-device kind: cgroup v2 has no file for it. It is not for cgroup v1,
// whose devices controller is left alone, and it can't take a program off again: that goes
// with its group.
package devices

import "golang.org/x/sys/unix"

// Type is the kind of a device node.
type Type uint32

// The types; AnyType matches both.
const (
	AnyType Type = 0
	Block   Type = unix.BPF_DEVCG_DEV_BLOCK
	Char    Type = unix.BPF_DEVCG_DEV_CHAR
)

// Access is a set of what may be done to a device.
type Access uint32

// The single accesses. Mknod is making a node; opening it is Read, Write, or both.
const (
	Mknod Access = unix.BPF_DEVCG_ACC_MKNOD
	Read  Access = unix.BPF_DEVCG_ACC_READ
	Write Access = unix.BPF_DEVCG_ACC_WRITE
)

// Any as a major or minor number matches every number.
const Any = -1

// A Rule allows some access to some devices. An access is allowed if one rule allows all
// of it.
type Rule struct {
	Type         Type
	Major, Minor int32 // or Any
	Access       Access
}

// Default returns what every guest may do: use the devices that programs take for granted
// and its own pseudo-terminals, and make any node, so that archives unpack. A node that was
// only made can't be opened.
func Default() []Rule {
	const all = Read | Write | Mknod
	return []Rule{
		{Char, 1, 3, all}, // null
		{Char, 1, 5, all}, // zero
		{Char, 1, 7, all}, // full
		{Char, 1, 8, all}, // random
		{Char, 1, 9, all}, // urandom
		{Char, 5, 0, all}, // tty
		{Char, 5, 1, all}, // console
		{Char, 5, 2, all}, // ptmx
		{Char, 136, Any, all},
		{AnyType, Any, Any, Mknod},
	}
}

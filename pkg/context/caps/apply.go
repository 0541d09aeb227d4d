package caps

import (
	"fmt"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Prepared is a reduction of capabilities that needs no further thought: after a raw fork,
// where nothing may be allocated, ApplyRaw carries it out, or the caller does by hand.
type Prepared struct {
	Drops  [64]uint8 // the first Count are to leave the bounding set, by PR_CAPBSET_DROP
	Count  int
	Header unix.CapUserHeader  // of capset(2), for the calling thread
	Data   [2]unix.CapUserData // permitted and effective what is kept, inheritable empty
}

// Step is a part of ApplyRaw, in its order.
type Step uint8

// The steps. Only StepBounding needs a capability, CAP_SETPCAP.
const (
	StepBounding Step = iota // prctl(PR_CAPBSET_DROP)
	StepAmbient              // prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
	StepCapset               // capset(2)
)

// String returns what the step does, for messages that begin with "cannot".
func (s Step) String() string {
	switch s {
	case StepBounding:
		return "drop capabilities from the bounding set"
	case StepAmbient:
		return "clear the ambient capabilities"
	}
	return "set the capabilities"
}

// Prepare returns the reduction to keep on the running kernel. What keep has must be in the
// permitted set of the thread that applies it (EPERM otherwise): after setns(2) or clone(2)
// into a user namespace that is every capability.
func Prepare(keep Set) *Prepared {
	p := &Prepared{Header: unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}}
	last := Last()
	for c := range last + 1 {
		if keep&(1<<c) == 0 {
			p.Drops[p.Count] = uint8(c)
			p.Count++
		}
	}
	p.setData(keep & upTo(last))
	return p
}

func (p *Prepared) setData(keep Set) {
	for i := range p.Data {
		half := uint32(keep >> (32 * i))
		p.Data[i] = unix.CapUserData{Effective: half, Permitted: half}
	}
}

// ApplyRaw reduces the capabilities of the calling thread by raw system calls alone, and
// returns errno 0 or the step that failed. It neither allocates nor grows the stack, so a raw
// fork's child may call it. Its place is before the change to another user: that clears
// the permitted set, and the bounding set with it could no longer be reduced (EPERM). So keep
// has to hold CAP_SETUID and CAP_SETGID, as Default does.
//
//go:nosplit
//go:norace
//go:nocheckptr
func (p *Prepared) ApplyRaw() (Step, syscall.Errno) {
	for i := 0; i < p.Count; i++ {
		if _, _, e := syscall.RawSyscall6(syscall.SYS_PRCTL, unix.PR_CAPBSET_DROP, uintptr(p.Drops[i]), 0, 0, 0, 0); e != 0 {
			return StepBounding, e
		}
	}
	if _, _, e := syscall.RawSyscall6(syscall.SYS_PRCTL, unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0, 0); e != 0 {
		return StepAmbient, e
	}
	_, _, e := syscall.RawSyscall(syscall.SYS_CAPSET, uintptr(unsafe.Pointer(&p.Header)), uintptr(unsafe.Pointer(&p.Data[0])), 0)
	return StepCapset, e
}

// Apply reduces the capabilities of the calling thread, which the caller holds with
// runtime.LockOSThread: bounding set to keep, inheritable and ambient to nothing, permitted and
// effective to what keep and the permitted set have in common. The bounding set needs
// CAP_SETPCAP.
func Apply(keep Set) error {
	p := Prepare(keep)
	have, err := permitted()
	if err != nil {
		return err
	}
	p.setData(keep & have)
	if step, errno := p.ApplyRaw(); errno != 0 {
		return fmt.Errorf("cannot %s: %w", step, errno)
	}
	return nil
}

// permitted returns the permitted set of the calling thread.
func permitted() (Set, error) {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return 0, fmt.Errorf("cannot read capabilities: %w", err)
	}
	return Set(data[0].Permitted) | Set(data[1].Permitted)<<32, nil
}

package guard

import (
	"errors"
	"fmt"
	"net"

	"github.com/sysct/sysct/internal/bpf"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// apartHandle is that of the filters of SetApart: at the ingress, behind the policy's and
// before what others do with a frame.
const apartHandle = handle + 1

// SetApart keeps the guest behind link apart from all others on its bridge: frames come to it
// from bridge, the bridge's own address, alone, and go from it there or to groups. The bridge's
// own isolation does it among isolated ports only: one that isn't reaches all. It is for bridges
// that nobody but the host is behind. nil ends it, and it is no error if there is nothing.
// What the guest says to groups (who has an address, who is there) is heard by the others; their
// answers don't come to it.
func SetApart(h *netlink.Handle, link int, bridge net.HardwareAddr) error {
	for _, way := range []struct {
		parent uint32
		code   func(net.HardwareAddr) []bpf.Instruction
	}{{netlink.HANDLE_MIN_EGRESS, fromBridge}, {netlink.HANDLE_MIN_INGRESS, toBridge}} {
		f := &netlink.BpfFilter{DirectAction: true, Name: "sysct-apart", FilterAttrs: netlink.FilterAttrs{
			LinkIndex: link, Parent: way.parent, Handle: apartHandle, Priority: Priority, Protocol: unix.ETH_P_ALL}}
		if bridge == nil {
			err := h.FilterDel(f)
			if err != nil && !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.EINVAL) {
				return fmt.Errorf("cannot detach filter of link %d: %w", link, err)
			}
			continue
		}
		if err := attachApart(h, f, way.code(bridge)); err != nil {
			return err
		}
	}
	return nil
}

func attachApart(h *netlink.Handle, f *netlink.BpfFilter, code []bpf.Instruction) error {
	if err := Ingress(h, f.LinkIndex); err != nil {
		return err
	}
	fd, err := bpf.Load(unix.BPF_PROG_TYPE_SCHED_CLS, "sysct_apart", code)
	if err != nil {
		return fmt.Errorf("cannot load filter program: %w", err)
	}
	defer unix.Close(fd)
	f.Fd = fd
	if err := h.FilterReplace(f); err != nil {
		return fmt.Errorf("cannot attach filter to link %d: %w", f.LinkIndex, err)
	}
	return nil
}

// fromBridge lets pass what the bridge itself sends.
func fromBridge(bridge net.HardwareAddr) []bpf.Instruction {
	a := newAssembler()
	a.address(sourceMAC, bridge)
	return a.verdicts()
}

// toBridge lets pass what is for the bridge itself or for a group.
func toBridge(bridge net.HardwareAddr) []bpf.Instruction {
	a := newAssembler()
	a.address(0, bridge)
	a.ifEqual(wrong, 0, pass)
	a.get(byte1, r1, head)
	a.ifAny(r1, 1, pass)
	return a.verdicts()
}

// address sets wrong if a frame has another hardware address at a place.
func (a *assembler) address(place int16, mac net.HardwareAddr) {
	a.copy(frame, r1)
	a.set(at, 0)
	a.fetch(0, head, network)
	a.hardware(head+place, Policy{MAC: mac})
}

// verdicts ends the program: what is wrong is dropped.
func (a *assembler) verdicts() []bpf.Instruction {
	a.dropWrong()
	a.label(pass)
	a.end(verdictPass)
	a.label(drop)
	a.end(verdictDrop)
	return a.finish()
}

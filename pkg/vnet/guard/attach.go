package guard

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/sysct/sysct/internal/bpf"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Priority is the filter's at the device's ingress. Filters behind it, of a higher number, see what
// it lets through.
const Priority = 1

// handle is the filter's among those of its priority: with one, a filter is replaced and not
// added to.
const handle = 1

// namePrefix is what the names of all filters of this package begin with.
const namePrefix = "sysct-guard-"

// A Program is a policy in the kernel, not yet at a link.
type Program struct {
	fd   int
	name string
}

// Load has the kernel check the program of a policy and compile it. That is nearly all of the time
// that a filter takes, and needs no link: do it early. Errors have the errno of bpf(2): EPERM without
// CAP_BPF and CAP_NET_ADMIN (or CAP_SYS_ADMIN).
func Load(p Policy) (*Program, error) {
	if err := p.check(); err != nil {
		return nil, fmt.Errorf("cannot make filter program: %w", err)
	}
	code := program(p)
	fd, err := bpf.Load(unix.BPF_PROG_TYPE_SCHED_CLS, "sysct_guard", code)
	if err != nil {
		return nil, fmt.Errorf("cannot load filter program: %w", err)
	}
	return &Program{fd: fd, name: name(code)}, nil
}

// Close gives the program up. Filters have a reference of their own.
func (p *Program) Close() error { return unix.Close(p.fd) }

// Attach holds what comes in by the host's side of a veth, link by its index, to the program's
// policy. A filter that is there is replaced at once: every frame is judged by the old or by the
// new one. h is of the link's network namespace. Errors have the errno of rtnetlink(7): ENOENT or
// EOPNOTSUPP from a kernel without NET_CLS_BPF or NET_SCH_INGRESS.
func (p *Program) Attach(h *netlink.Handle, link int) error {
	if err := Ingress(h, link); err != nil {
		return err
	}
	f := filter(link)
	f.Fd, f.Name = p.fd, p.name
	if err := h.FilterReplace(f); err != nil {
		return fmt.Errorf("cannot attach filter to link %d: %w", link, err)
	}
	return nil
}

// Attach is Load and Attach in one.
func Attach(h *netlink.Handle, link int, p Policy) error {
	prog, err := Load(p)
	if err != nil {
		return err
	}
	defer prog.Close()
	return prog.Attach(h, link)
}

// Ingress sees to it that filters can be attached to a link: that it has a clsact qdisc.
func Ingress(h *netlink.Handle, link int) error {
	q := &netlink.Clsact{QdiscAttrs: netlink.QdiscAttrs{LinkIndex: link, Parent: netlink.HANDLE_CLSACT, Handle: netlink.MakeHandle(0xffff, 0)}}
	if err := h.QdiscAdd(q); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("cannot make clsact qdisc of link %d: %w", link, err)
	}
	return nil
}

func filter(link int) *netlink.BpfFilter {
	return &netlink.BpfFilter{DirectAction: true, FilterAttrs: netlink.FilterAttrs{
		LinkIndex: link, Parent: netlink.HANDLE_MIN_INGRESS, Handle: handle, Priority: Priority, Protocol: unix.ETH_P_ALL}}
}

// Detach takes the filter off a link. It is no error if there is none.
func Detach(h *netlink.Handle, link int) error {
	err := h.FilterDel(filter(link))
	if err != nil && !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("cannot detach filter of link %d: %w", link, err)
	}
	return nil
}

// Attached says whether a link has a filter of this package, and whether it is that of just this
// policy, as this version of sysct understands it.
func Attached(h *netlink.Handle, link int, p Policy) (some, same bool, err error) {
	if err := p.check(); err != nil {
		return false, false, err
	}
	list, err := h.FilterList(&netlink.Device{LinkAttrs: netlink.LinkAttrs{Index: link}}, netlink.HANDLE_MIN_INGRESS)
	if err != nil {
		return false, false, fmt.Errorf("cannot list filters of link %d: %w", link, err)
	}
	for _, f := range list {
		if f, ok := f.(*netlink.BpfFilter); ok && f.DirectAction && f.Priority == Priority && strings.HasPrefix(f.Name, namePrefix) {
			return true, f.Name == name(program(p)), nil
		}
	}
	return false, false, nil
}

// name is the filter's: by it, whether a link is held to just a policy is seen without reading
// the program back.
func name(code []bpf.Instruction) string {
	h := sha256.New()
	binary.Write(h, binary.NativeEndian, code)
	return namePrefix + hex.EncodeToString(h.Sum(nil))[:16]
}

package guard

import (
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

// Attach holds what comes in by the host's side of a veth, link by its index, to a policy. One that
// is there is replaced at once: every frame is judged by the old or by the new one. h is
// of the link's network namespace. Errors have the errno of bpf(2) or of rtnetlink(7): EPERM
// without CAP_BPF (or CAP_SYS_ADMIN) and CAP_NET_ADMIN, EINVAL or ENOENT from a kernel without
// NET_CLS_BPF or NET_SCH_INGRESS.
func Attach(h *netlink.Handle, link int, p Policy) error {
	if err := p.check(); err != nil {
		return fmt.Errorf("cannot filter link %d: %w", link, err)
	}
	prog, err := bpf.Load(unix.BPF_PROG_TYPE_SCHED_CLS, "sysct_guard", program(p))
	if err != nil {
		return fmt.Errorf("cannot load filter program: %w", err)
	}
	defer unix.Close(prog) // the filter holds a reference of its own
	f := filter(link)
	f.Fd, f.Name = prog, p.name()
	err = h.FilterReplace(f)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOENT) { // no clsact yet
		if err := Ingress(h, link); err != nil {
			return err
		}
		err = h.FilterReplace(f)
	}
	if err != nil {
		return fmt.Errorf("cannot attach filter to link %d: %w", link, err)
	}
	return nil
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

// Attached says whether a link is held to a filter of this package, and whether to just this
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
			return true, f.Name == p.name(), nil
		}
	}
	return false, false, nil
}

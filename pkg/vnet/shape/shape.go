// Package shape bounds how fast a guest's interface is, in both directions, by queueing
// disciplines on the host's side of its veth. What the guest receives waits there, before the
// link; what it sends has nowhere to wait, so it is led through an ifb device and waits
// at that. It knows nothing of what may be sent: that is the guard's, which sees a
// frame first.
package shape

import (
	"errors"
	"fmt"

	"github.com/sysct/sysct/pkg/vnet/guard"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Limits are the most bits a second that a guest receives and sends; 0: no limit.
type Limits struct {
	Ingress uint64 // to the guest
	Egress  uint64 // from it
}

// Set holds link, the host's side of a guest's veth by its index, to limits. ifb is the device
// for what the guest sends, which is made where it is needed, with the alias, and removed
// where it isn't; one of that name with another alias is somebody else's, and an error. What is
// there already is changed in place: frames that wait go on waiting. h is of the link's network
// namespace. Errors have the errno of rtnetlink(7): ENOENT or EOPNOTSUPP from a kernel without
// NET_SCH_TBF, NET_CLS_U32, NET_ACT_MIRRED or IFB.
func Set(h *netlink.Handle, link int, ifb, alias string, l Limits) error {
	host, err := h.LinkByIndex(link)
	if err != nil {
		return fmt.Errorf("cannot look for link %d: %w", link, err)
	}
	if err := limit(h, link, l.Ingress, host.Attrs().MTU); err != nil {
		return fmt.Errorf("cannot limit what %s receives: %w", host.Attrs().Name, err)
	}
	if l.Egress == 0 {
		return Clear(h, link, ifb, alias)
	}
	if err := detour(h, host, ifb, alias, l.Egress); err != nil {
		return fmt.Errorf("cannot limit what %s sends: %w", host.Attrs().Name, err)
	}
	return nil
}

// Clear ends the detour of what a guest sends. link is 0 if it is gone already. It is no error
// if there is nothing to clear.
func Clear(h *netlink.Handle, link int, ifb, alias string) error {
	if link != 0 { // before the device, or what is led there is lost
		if err := h.FilterDel(redirect(link, 0)); err != nil && !absent(err) {
			return fmt.Errorf("cannot delete redirection of link %d: %w", link, err)
		}
	}
	dev, err := find(h, ifb, alias)
	if err != nil || dev == nil {
		return err
	}
	if err := h.LinkDel(dev); err != nil && !errors.Is(err, unix.ENODEV) {
		return fmt.Errorf("cannot delete %s: %w", ifb, err)
	}
	return nil
}

// limit sets a link's root queue, or takes it away.
func limit(h *netlink.Handle, link int, rate uint64, mtu int) error {
	root := netlink.QdiscAttrs{LinkIndex: link, Parent: netlink.HANDLE_ROOT, Handle: netlink.MakeHandle(1, 0)}
	if rate == 0 {
		if err := h.QdiscDel(&netlink.Tbf{QdiscAttrs: root}); err != nil && !absent(err) {
			return fmt.Errorf("cannot delete the queue: %w", err)
		}
		return nil
	}
	b, err := bucketOf(rate, mtu)
	if err != nil {
		return err
	}
	if err := h.QdiscReplace(&netlink.Tbf{QdiscAttrs: root, Rate: b.rate, Buffer: b.ticks, Limit: b.limit}); err != nil {
		return fmt.Errorf("cannot set the queue: %w", err)
	}
	return nil
}

// detour leads what comes in by host through ifb, with the rate. The filter that leads there
// is the last that is made.
func detour(h *netlink.Handle, host netlink.Link, ifb, alias string, rate uint64) error {
	dev, err := find(h, ifb, alias)
	if err != nil {
		return err
	}
	if dev == nil {
		if dev, err = create(h, ifb, alias); err != nil {
			return err
		}
	}
	index := dev.Attrs().Index
	if err := limit(h, index, rate, host.Attrs().MTU); err != nil {
		return fmt.Errorf("%s: %w", ifb, err)
	}
	if err := h.LinkSetUp(dev); err != nil {
		return fmt.Errorf("cannot bring up %s: %w", ifb, err)
	}
	link := host.Attrs().Index
	if err := guard.Ingress(h, link); err != nil {
		return err
	}
	if err := h.FilterReplace(redirect(link, index)); err != nil {
		return fmt.Errorf("cannot redirect link %d to %s: %w", link, ifb, err)
	}
	return nil
}

// redirect is the filter that leads all that the guard lets through to a device.
func redirect(link, to int) *netlink.U32 {
	f := &netlink.U32{FilterAttrs: netlink.FilterAttrs{LinkIndex: link, Parent: netlink.HANDLE_MIN_INGRESS, Handle: 0x80000800,
		Priority: guard.Priority + 1, Protocol: unix.ETH_P_ALL}}
	if to != 0 {
		f.Actions = []netlink.Action{netlink.NewMirredAction(to)}
	}
	return f
}

// find is the ifb device of a name, nil if there is none.
func find(h *netlink.Handle, name, alias string) (netlink.Link, error) {
	dev, err := h.LinkByName(name)
	if notFound := (netlink.LinkNotFoundError{}); errors.As(err, &notFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot look for %s: %w", name, err)
	}
	// One without an alias is ours if it was made just now: they are made without.
	if has := dev.Attrs().Alias; dev.Type() != "ifb" || has != alias && has != "" {
		return nil, fmt.Errorf("%s is somebody else's %s, its alias is %q: %w", name, dev.Type(), has, unix.EEXIST)
	}
	return dev, nil
}

func create(h *netlink.Handle, name, alias string) (netlink.Link, error) {
	attrs := netlink.NewLinkAttrs()
	attrs.Name = name
	dev := &netlink.Ifb{LinkAttrs: attrs}
	if err := h.LinkAdd(dev); err != nil {
		return nil, fmt.Errorf("cannot make %s: %w", name, err)
	}
	if err := h.LinkSetAlias(dev, alias); err != nil {
		return nil, errors.Join(fmt.Errorf("cannot set the alias of %s: %w", name, err), h.LinkDel(dev))
	}
	return dev, nil
}

// absent says whether an error is that there is nothing to delete.
func absent(err error) bool { return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EINVAL) }

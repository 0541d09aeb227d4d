package link

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/vnet"
)

// was separates, in the alias of a device of the host that a guest has, our mark from what the
// device was called.
const was = " was "

// move gives the guest a device of the host. Its alias says whose it is and what it was
// called: when the guest's namespace ends, the kernel gives the device back by itself, under
// the name that it has then, or as devN if that is taken.
func (s *Session) move(i *vnet.Interface) error {
	l, err := s.host.LinkByName(i.Parent)
	if missing(err) {
		// A boot before may have left it under the guest's name.
		if s.reclaim(i, 0) == nil {
			l, err = s.host.LinkByName(i.Parent)
		}
	}
	if err != nil {
		return noDevice(i.Parent, err)
	}
	if l.Attrs().Index == 1 || strings.HasPrefix(l.Attrs().Alias, "sysct ") && !strings.HasPrefix(l.Attrs().Alias, s.alias(i)+was) {
		return fmt.Errorf("device %s can't be given away: it is %s", i.Parent, l.Attrs().Alias)
	}
	mac, err := hardware(i.MAC)
	if err != nil {
		return err
	}
	if err := s.host.LinkSetAlias(l, s.alias(i)+was+i.Parent); err != nil {
		return err
	}
	if err := s.host.LinkSetDown(l); err != nil {
		return err
	}
	if err := s.host.LinkSetNsFd(l, s.ns); err != nil {
		return fmt.Errorf("cannot give device %s to the guest: %w", i.Parent, err)
	}
	return s.settleDevice(i, mac)
}

// settleDevice names the device in the guest.
func (s *Session) settleDevice(i *vnet.Interface, mac []byte) error {
	l, err := s.guest.LinkByName(i.Parent)
	if err != nil {
		return err
	}
	if i.Parent != i.Name {
		if err := s.guest.LinkSetName(l, i.Name); err != nil {
			return fmt.Errorf("cannot rename %s: %w", i.Parent, err)
		}
	}
	if mac != nil {
		if err := s.guest.LinkSetHardwareAddr(l, mac); err != nil {
			return fmt.Errorf("cannot set the hardware address: %w", err)
		}
	}
	if i.MTU != 0 {
		return s.guest.LinkSetMTU(l, i.MTU)
	}
	return nil
}

// backPatience is how long the end of a namespace may take, which the kernel does behind
// everybody's back.
const backPatience = 3 * time.Second

// moveBack gives a device its name back, out of the guest's namespace if that still is there.
func (s *Session) moveBack(i *vnet.Interface) error { return s.reclaim(i, backPatience) }

func (s *Session) reclaim(i *vnet.Interface, patience time.Duration) error {
	mark := s.alias(i) + was + i.Parent
	if s.guest != nil {
		// Whoever moved it may have been killed before it was named: it is known by its mark.
		if l, err := s.guest.LinkByAlias(mark); err == nil {
			if err := s.sendBack(l); err != nil {
				return err
			}
		} else {
			patience = 0 // the namespace lives and hasn't got it
		}
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		l, err := s.host.LinkByAlias(mark)
		if err == nil {
			return s.named(l, i.Parent)
		}
		if l, err := s.host.LinkByName(i.Parent); err == nil && !strings.HasPrefix(l.Attrs().Alias, "sysct ") {
			return nil // it never went
		}
		if !missing(err) || time.Now().After(deadline) {
			return fmt.Errorf("device %s didn't come back from the guest: %w", i.Parent, err)
		}
	}
}

func (s *Session) sendBack(l netlink.Link) error {
	own, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(own)
	return errors.Join(s.guest.LinkSetDown(l), s.guest.LinkSetNsFd(l, own))
}

func (s *Session) named(l netlink.Link, name string) error {
	if l.Attrs().Name != name {
		if err := errors.Join(s.host.LinkSetDown(l), s.host.LinkSetName(l, name)); err != nil {
			return fmt.Errorf("cannot give device %s its name %s back: %w", l.Attrs().Name, name, err)
		}
	}
	return s.host.LinkSetAlias(l, "")
}

package link

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/vnet"
)

// quiet keeps the host from configuring its end by what the guest sends: no address by
// itself, and no router advertisement is believed (CVE-2020-13401).
func (s *Session) quiet(i *vnet.Interface) error {
	conf := "/proc/sys/net/ipv6/conf/" + i.Host + "/"
	if err := os.WriteFile(conf+"accept_ra", []byte("0"), 0); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if i.Type == vnet.TypeBridge {
		if err := os.WriteFile(conf+"disable_ipv6", []byte("1"), 0); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// Remove takes away what is on the host's side, and with it the guest's side of pairs. All
// that can be taken away is.
func (s *Session) Remove() error {
	var errs []error
	for i := range s.setup.Interfaces {
		errs = append(errs, s.remove(&s.setup.Interfaces[i]))
	}
	return errors.Join(errs...)
}

func (s *Session) remove(i *vnet.Interface) error {
	switch i.Type {
	case vnet.TypeBridge:
		return errors.Join(s.unlimit(i), s.removeVeth(i))
	case vnet.TypeRouted:
		return errors.Join(s.unroute(i), s.unlimit(i), s.removeVeth(i))
	case vnet.TypePhys:
		return s.moveBack(i)
	}
	// Others end with the guest's namespace; in one that goes on they are deleted there.
	if s.guest == nil {
		return nil
	}
	l, err := s.guest.LinkByName(i.Name)
	if missing(err) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.guest.LinkDel(l)
}

func (s *Session) removeVeth(i *vnet.Interface) error {
	mac, err := hardware(i.MAC)
	if err != nil {
		return err
	}
	return s.removeLink(i.Host, s.alias(i), hostSide(mac))
}

// removeLink deletes a link of the host's namespace if it is the one that has the mark: one
// that has another is somebody else's, whatever its name is (CVE-2017-5985). Whoever made it
// may have been killed before it was marked: then it is a veth with the address that it has.
func (s *Session) removeLink(name, alias string, mac net.HardwareAddr) error {
	l, err := s.host.LinkByName(name)
	if missing(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot find link %s: %w", name, err)
	}
	unmarked := l.Attrs().Alias == "" && l.Type() == "veth" && bytes.Equal(l.Attrs().HardwareAddr, mac)
	if l.Attrs().Alias != alias && !unmarked {
		return fmt.Errorf("cannot remove link %s: it is not the guest's, its alias is %q", name, l.Attrs().Alias)
	}
	// By its index: the name may be another's by now.
	gone := &netlink.Dummy{LinkAttrs: netlink.LinkAttrs{Index: l.Attrs().Index}}
	if err := s.host.LinkDel(gone); err != nil && err != unix.ENODEV {
		return fmt.Errorf("cannot remove link %s: %w", name, err)
	}
	return nil
}

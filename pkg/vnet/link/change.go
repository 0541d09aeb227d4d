package link

import (
	"errors"
	"fmt"
	"net"
	"reflect"
	"slices"

	"github.com/sysct/sysct/pkg/vnet"
	"github.com/sysct/sysct/pkg/vnet/guard"
)

// Change makes the interfaces of one setup those of another while the guest runs. On an
// error they are brought back as they were, as far as they can be.
func (s *Session) Change(from, to *vnet.Setup) error {
	err := s.change(from, to)
	if err == nil {
		return nil
	}
	if back := s.change(to, from); back != nil {
		return errors.Join(err, fmt.Errorf("and it couldn't be taken back: %w", back))
	}
	return err
}

func (s *Session) change(from, to *vnet.Setup) error {
	s.become(to)
	for i := range from.Interfaces {
		if now := find(to, from.Interfaces[i].Name); now == nil || !alike(&from.Interfaces[i], now) {
			if err := s.remove(&from.Interfaces[i]); err != nil {
				return err
			}
		}
	}
	for i := range to.Interfaces {
		now := &to.Interfaces[i]
		before := find(from, now.Name)
		switch {
		case before == nil || !alike(before, now) || !s.there(now):
			if err := s.add(now); err != nil {
				return errors.Join(err, s.remove(now))
			}
		case !reflect.DeepEqual(before, now):
			if err := s.adjust(before, now); err != nil {
				return fmt.Errorf("cannot change interface %s: %w", now.Name, err)
			}
		}
	}
	return nil
}

// Mend makes the interfaces of a running guest again that are gone, and puts ports back on
// their bridges. It says which.
func (s *Session) Mend() (mended []string, err error) {
	for i := range s.setup.Interfaces {
		is := &s.setup.Interfaces[i]
		if !s.there(is) {
			err := s.add(is)
			if err != nil {
				return mended, errors.Join(err, s.remove(is))
			}
			mended = append(mended, is.Name)
			continue
		}
		if is.Type != vnet.TypeBridge {
			continue
		}
		host, err := s.host.LinkByName(is.Host)
		if err != nil {
			return mended, err
		}
		bridge, err := s.bridge(is)
		if err != nil {
			return mended, err
		}
		placed := host.Attrs().MasterIndex == bridge.Index && host.Attrs().Flags&net.FlagUp != 0
		if guarded, err := s.isGuarded(is, host.Attrs().Index); err != nil || placed && guarded {
			if err != nil {
				return mended, err
			}
			continue
		}
		if err := s.settlePort(is); err != nil {
			return mended, err
		}
		mended = append(mended, is.Name)
	}
	return mended, nil
}

// isGuarded says whether what the guest sends is checked as it is to be.
func (s *Session) isGuarded(i *vnet.Interface, index int) (bool, error) {
	if !i.Filter {
		return true, nil
	}
	p, err := policy(i)
	if err != nil {
		return false, err
	}
	_, same, err := guard.Attached(s.host, index, p)
	return same, err
}

// settlePort puts the host's side back into its place, with all that belongs there.
func (s *Session) settlePort(i *vnet.Interface) error {
	for _, do := range []func(*Session, *vnet.Interface) error{(*Session).port, (*Session).filter, (*Session).limit, (*Session).hostUp} {
		if err := do(s, i); err != nil {
			return err
		}
	}
	return nil
}

// there says whether the guest has the interface, and the host its side of it.
func (s *Session) there(i *vnet.Interface) bool {
	if _, err := s.guest.LinkByName(i.Name); err != nil {
		return false
	}
	if i.Host == "" {
		return true
	}
	l, err := s.host.LinkByName(i.Host)
	return err == nil && l.Attrs().Alias == s.alias(i)
}

// alike says whether one can become the other without being made anew.
func alike(a, b *vnet.Interface) bool {
	return a.Type == b.Type && a.Bridge == b.Bridge && a.Parent == b.Parent && a.Mode == b.Mode && a.VLAN == b.VLAN && a.Host == b.Host && a.MAC == b.MAC
}

func find(s *vnet.Setup, name string) *vnet.Interface {
	i := slices.IndexFunc(s.Interfaces, func(i vnet.Interface) bool { return i.Name == name })
	if i < 0 {
		return nil
	}
	return &s.Interfaces[i]
}

// adjust changes what can be changed in place.
func (s *Session) adjust(before, now *vnet.Interface) error {
	if now.MTU != before.MTU {
		if err := s.setMTU(now); err != nil {
			return err
		}
	}
	if now.Host != "" {
		if err := errors.Join(s.filter(now), s.limit(now)); err != nil {
			return err
		}
	}
	if now.Type == vnet.TypeRouted {
		if err := errors.Join(s.unroute(before), s.dropRoutes(before, now), s.route(now)); err != nil {
			return err
		}
	}
	return s.reconfigure(before, now)
}

func (s *Session) setMTU(i *vnet.Interface) error {
	l, err := s.guest.LinkByName(i.Name)
	if err != nil {
		return err
	}
	mtu, err := s.mtuOf(i)
	if err != nil {
		return err
	}
	if i.Host != "" {
		host, err := s.host.LinkByName(i.Host)
		if err != nil {
			return err
		}
		if err := s.host.LinkSetMTU(host, mtu); err != nil {
			return err
		}
	}
	return s.guest.LinkSetMTU(l, mtu)
}

// mtuOf is what an interface has if nothing is written: what its bridge or its parent has.
func (s *Session) mtuOf(i *vnet.Interface) (int, error) {
	if i.MTU != 0 {
		return i.MTU, nil
	}
	from := i.Bridge
	if from == "" && i.Type != vnet.TypeRouted {
		from = i.Parent
	}
	if l, err := s.host.LinkByName(from); err == nil && from != "" {
		return l.Attrs().MTU, nil
	} else if from != "" && !missing(err) {
		return 0, err
	}
	return 1500, nil
}

package link

import (
	"net"

	"github.com/sysct/sysct/pkg/vnet"
	"github.com/sysct/sysct/pkg/vnet/guard"
	"github.com/sysct/sysct/pkg/vnet/shape"
)

// Prepare does what can be done before the guest has a namespace: the kernel takes a while
// to judge a program.
func (s *Session) Prepare() error {
	for i := range s.setup.Interfaces {
		if is := &s.setup.Interfaces[i]; is.Filter {
			if _, err := s.guard(is); err != nil {
				return err
			}
		}
	}
	return nil
}

// guard is the program that checks what comes from an interface.
func (s *Session) guard(i *vnet.Interface) (*guard.Program, error) {
	if g := s.guards[i.Name]; g != nil {
		return g, nil
	}
	p, err := policy(i)
	if err != nil {
		return nil, err
	}
	g, err := guard.Load(p)
	if err != nil {
		return nil, err
	}
	s.guards[i.Name] = g
	return g, nil
}

// policy is what the guest may send as. On a bridge of the host's own somebody else may hand
// out the addresses of a family that none is written of.
func policy(i *vnet.Interface) (guard.Policy, error) {
	mac, err := hardware(i.MAC)
	if err != nil {
		return guard.Policy{}, err
	}
	p := guard.Policy{MAC: mac}
	foreign := i.Type == vnet.TypeBridge && i.Network == ""
	p.Any4, p.Any6 = foreign, foreign
	for _, a := range i.Addresses {
		p.Addresses = append(p.Addresses, a.Addr())
		if a.Addr().Is4() {
			p.Any4 = false
		} else {
			p.Any6 = false
		}
	}
	return p, nil
}

// filter holds what the guest sends to what it is, or ceases to.
func (s *Session) filter(i *vnet.Interface) error {
	host, err := s.host.LinkByName(i.Host)
	if err != nil {
		return err
	}
	index := host.Attrs().Index
	if i.Type == vnet.TypeBridge && host.Attrs().MasterIndex != 0 {
		if err := s.bridgePort(i, index); err != nil {
			return err
		}
	}
	if !i.Filter {
		return guard.Detach(s.host, index)
	}
	g, err := s.guard(i)
	if err != nil {
		return err
	}
	return g.Attach(s.host, index)
}

// bridgePort has the bridge look for nobody else behind the port.
func (s *Session) bridgePort(i *vnet.Interface, index int) error {
	mac, err := hardware(i.MAC)
	if err != nil {
		return err
	}
	if !i.Filter && mac != nil {
		if s.changing { // the entry that the guard needs would outlive it
			if err := guard.FreePort(s.host, index, mac); err != nil {
				return err
			}
		}
		mac = nil // the bridge learns what is behind the port
	}
	if err := guard.SetPort(s.host, index, guard.Port{MAC: mac, Isolate: i.Isolate}); err != nil {
		return err
	}
	return s.apart(i, index)
}

// apart keeps an isolated guest from those that aren't as well. A bridge of the host's own
// may have others behind it, which are nobody's guests: there the ports' isolation has to do.
func (s *Session) apart(i *vnet.Interface, index int) error {
	if i.Network == "" || !i.Isolate && !s.changing {
		return nil
	}
	var only net.HardwareAddr
	if i.Isolate {
		bridge, err := s.bridge(i)
		if err != nil {
			return err
		}
		only = bridge.HardwareAddr
	}
	return guard.SetApart(s.host, index, only)
}

// limit bounds how fast the interface is. A link that is new and has no bounds needs nothing.
func (s *Session) limit(i *vnet.Interface) error {
	if i.Ingress == 0 && i.Egress == 0 && !s.changing {
		return nil
	}
	host, err := s.host.LinkByName(i.Host)
	if err != nil {
		return err
	}
	ifb := vnet.IfbName(s.setup.Tag, s.setup.Guest, i.Name)
	return shape.Set(s.host, host.Attrs().Index, ifb, s.alias(i), shape.Limits{Ingress: i.Ingress, Egress: i.Egress})
}

// unlimit takes away what doesn't go with the link, also if it is there by a change that nobody
// has finished.
func (s *Session) unlimit(i *vnet.Interface) error {
	return shape.Clear(s.host, 0, vnet.IfbName(s.setup.Tag, s.setup.Guest, i.Name), s.alias(i))
}

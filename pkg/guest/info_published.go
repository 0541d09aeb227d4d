package guest

import "github.com/sysct/sysct/pkg/vnet/nft"

// Published is a port of the host that leads to a running guest.
type Published struct {
	Proto    string  `json:"proto"`   // tcp, udp
	Address  *string `json:"address"` // of the host; nil: all of its addresses
	Port     uint16  `json:"port"`
	To       uint16  `json:"to"` // the guest's
	Loopback bool    `json:"loopback"`
}

// published are the ports that the host's rules lead to a guest now. What can't be read is
// unknown.
func (m *Manager) published(name string) []Published {
	kept, err := nft.GuestKept(m.dirs.Run, name)
	if err != nil {
		return nil
	}
	list := []Published{}
	for _, p := range kept.Published {
		one := Published{Proto: p.Proto, Port: p.Port, To: p.To, Loopback: p.Loopback}
		if p.Address.IsValid() {
			text := p.Address.String()
			one.Address = &text
		}
		list = append(list, one)
	}
	return list
}

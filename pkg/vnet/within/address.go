package within

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"
)

// Address is one of an interface.
type Address struct {
	Index     int          // of the interface
	Prefix    netip.Prefix // the address with the length of its subnet's
	Scope     string       // global, site, link, host; the number of another
	Tentative bool         // it isn't sure yet that nobody else has it, or somebody has
}

// addresses reads those of all interfaces.
func (s *socket) addresses() (list []Address, err error) {
	err = s.dump(unix.RTM_GETADDR, make([]byte, unix.SizeofIfAddrmsg), func(body []byte) {
		if a, ok := parseAddress(body); ok {
			list = append(list, a)
		}
	})
	return list, err
}

// parseAddress reads an RTM_NEWADDR.
func parseAddress(body []byte) (a Address, ok bool) {
	if len(body) < unix.SizeofIfAddrmsg {
		return a, false
	}
	flags := uint32(body[2])
	a.Scope, a.Index = scopeName(body[3]), int(binary.NativeEndian.Uint32(body[4:]))
	var local, address netip.Addr
	for kind, value := range attributes(body[unix.SizeofIfAddrmsg:]) {
		switch kind {
		case unix.IFA_LOCAL:
			local, _ = netip.AddrFromSlice(value)
		case unix.IFA_ADDRESS:
			address, _ = netip.AddrFromSlice(value)
		case unix.IFA_FLAGS:
			if len(value) == 4 {
				flags = binary.NativeEndian.Uint32(value)
			}
		}
	}
	if local.IsValid() { // of a point-to-point interface the other is its peer's
		address = local
	}
	a.Prefix = netip.PrefixFrom(address, int(body[1]))
	a.Tentative = flags&(unix.IFA_F_TENTATIVE|unix.IFA_F_DADFAILED) != 0 && flags&unix.IFA_F_OPTIMISTIC == 0
	return a, address.IsValid()
}

package guest

import (
	"context"
	"net/netip"

	"github.com/sysct/sysct/pkg/vnet"
)

type stubStore struct{ m *Manager }

func (m *Manager) networks() *stubStore { return &stubStore{m} }

func (s *stubStore) Resolve(ctx context.Context, name string) (*vnet.Network, error) {
	return &vnet.Network{Name: name, Device: vnet.BridgeName(s.m.tag, name), IPv4: netip.MustParsePrefix("10.77.0.1/24"), IPv6: netip.MustParsePrefix("fd77::1/64"), DNS: true, Domain: "sysct"}, nil
}

func networkAddresses(ctx context.Context, s *stubStore, n *vnet.Network, guest string, is *vnet.Interface) ([]netip.Prefix, error) {
	return []netip.Prefix{netip.MustParsePrefix("10.77.0.2/24"), netip.MustParsePrefix("fd77::2/64")}, nil
}

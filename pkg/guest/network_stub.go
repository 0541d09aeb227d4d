package guest

import (
	"context"
	"net/netip"

	"github.com/sysct/sysct/pkg/vnet"
	"github.com/sysct/sysct/pkg/vnet/networks"
)

func networkAddresses(ctx context.Context, s *networks.Store, n *vnet.Network, guest string, is *vnet.Interface) ([]netip.Prefix, error) {
	return s.Addresses(ctx, n, networks.Owner{Guest: guest, Interface: is.Name, MAC: is.MAC}, is.Addresses)
}

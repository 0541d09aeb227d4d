package guest

import (
	"github.com/sysct/sysct/pkg/guest/spec"
	"github.com/sysct/sysct/pkg/vnet"
)

// networkPlan is what the guest's network is.
func (m *Manager) networkPlan(name string, cfg *spec.Guest) (vnet.Plan, error) {
	if len(cfg.Net) == 1 && cfg.Net[0].Kind() == spec.NetHost {
		return vnet.HostNetwork(), nil
	}
	return vnet.Alone(), nil
}

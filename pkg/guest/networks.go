package guest

import (
	"github.com/sysct/sysct/internal/idledger"
	"github.com/sysct/sysct/pkg/vnet/networks"
)

// networks are those of the instance.
func (m *Manager) networks() *networks.Store {
	return &networks.Store{Tag: m.tag, StateDir: m.dirs.State, RunDir: m.dirs.Run, Dir: m.dirs.Networks,
		HostDir: idledger.DefaultDir, Units: m.units, Warn: m.opt.Warn}
}

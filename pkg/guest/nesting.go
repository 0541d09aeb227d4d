package guest

import (
	"context"
	"errors"
	"fmt"

	"github.com/sysct/sysct/internal/idledger"
	"github.com/sysct/sysct/pkg/context/ns"
	"github.com/sysct/sysct/pkg/guest/monitor"
	"github.com/sysct/sysct/pkg/guest/spec"
	"github.com/sysct/sysct/pkg/guest/state"
)

// idsOf is how many ids a guest is to have.
func idsOf(cfg *spec.Guest) uint32 {
	if cfg.Nesting {
		return idledger.NestingSize
	}
	return idledger.Size
}

// canNest says whether a guest that has so many ids can have those of nesting: ErrConfig. A
// privileged one needs no more than it has.
func (m *Manager) canNest(name string, cfg *spec.Guest, has uint32) error {
	if cfg.Privileged || idsOf(cfg) <= has {
		return nil
	}
	err := m.ledger.Room(m.dir(name), idsOf(cfg))
	if errors.Is(err, idledger.ErrFull) {
		return as(ErrConfig, fmt.Errorf("nesting: %w", err))
	}
	return err
}

// widen gives a guest that is about to start a larger range if it is to nest others and
// has none yet. Ids on disk are the guest's own, so nothing there changes. The ledger has
// both ranges until the guest's own file has the new one: a kill in between loses nothing.
func (m *Manager) widen(ctx context.Context, plan *monitor.Plan) error {
	if !plan.Context.Nesting || plan.Context.IDs.Size >= idledger.NestingSize {
		return nil
	}
	name := plan.Name
	ids, err := m.ledger.AllocateSize(ctx, m.dir(name), idledger.NestingSize)
	if err != nil {
		return err
	}
	id, err := m.identity(name)
	if err != nil {
		return err
	}
	id.IDBase, id.IDSize = ids.Base, ids.Size
	if err := m.inGuest(name, func(fd int) error { return state.WriteIdentity(fd, id) }); err != nil {
		return err
	}
	plan.Context.Root.IDBase = ids.Base
	plan.Context.IDs = ns.IDRange{Base: ids.Base, Size: ids.Size}
	return m.ledger.Settle(ctx, m.dir(name), ids.Base)
}

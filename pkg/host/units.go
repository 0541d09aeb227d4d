package host

import (
	"context"
	"errors"

	"github.com/sysct/sysct/pkg/guest/autostart"
)

// Prepare implements [Preparer]: guests that systemd starts by itself come after this
// service, for their order to be there.
func (a *autostarter) Prepare(ctx context.Context) error { return a.Manager.SyncUnits(ctx) }

// startUnits has systemd start guests. It has their order.
func (a *autostarter) startUnits(ctx context.Context, plan *autostart.Plan) error {
	if err := a.Manager.SyncUnits(ctx); err != nil {
		return err
	}
	if len(plan.Nodes) == 0 {
		return nil
	}
	var errs []error
	err := a.Manager.StartUnits(ctx, plan, func(name string) {
		a.logf("autostart: %s is systemd's to start", name)
		errs = append(errs, a.marks.add(name))
	})
	return errors.Join(append(errs, err)...)
}

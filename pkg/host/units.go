package host

import (
	"context"
	"errors"

	"github.com/sysct/sysct/pkg/guest/autostart"
)

// startUnits has systemd start guests. It has their order, and waits with them until this
// service is ready: they come after it.
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

package host

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sysct/sysct/pkg/guest"
	"github.com/sysct/sysct/pkg/guest/autostart"
	"github.com/sysct/sysct/pkg/guest/spec"
	"github.com/sysct/sysct/pkg/guest/state"
)

// stopSlack is what a stop may take longer than its guest's own time, before the guest is
// killed without its monitor's help.
const stopSlack = 10 * time.Second

// stopRounds bounds how often guests are looked for that somebody has started meanwhile.
const stopRounds = 3

// stopAll stops all guests that run, in the reverse order of their starts, those of a rank
// at the same time.
func (a *autostarter) stopAll(ctx context.Context) error {
	for range stopRounds {
		names, err := a.up(ctx)
		if err != nil || len(names) == 0 {
			return err
		}
		if err := a.stopThese(ctx, names); err != nil {
			return err
		}
	}
	return nil
}

func (a *autostarter) stopThese(ctx context.Context, names []string) error {
	all, err := a.Manager.Autostarts()
	if err != nil {
		return err
	}
	var mu sync.Mutex
	var errs []error
	plan := autostart.NewPlan(all, names)
	a.notify.status(fmt.Sprintf("stopping %d guests", len(names)))
	plan.Walk(0, true, func(n autostart.Node) {
		if err := a.stop(ctx, n); err != nil {
			mu.Lock()
			defer mu.Unlock()
			errs = append(errs, fmt.Errorf("%s: %w", n.Name, err))
		}
	})
	return errors.Join(errs...)
}

// up are the guests that run.
func (a *autostarter) up(ctx context.Context) ([]string, error) {
	list, err := a.Manager.List(ctx, guest.ListOptions{Brief: true})
	var names []string
	for i := range list {
		if isUp(&list[i]) {
			names = append(names, list[i].Name)
		}
	}
	return names, err
}

func isUp(i *guest.Info) bool { return i.State != state.Stopped }

// stop ends a guest by its own shutdown in its own time, and then by a kill, also where
// its monitor hangs.
func (a *autostarter) stop(ctx context.Context, n autostart.Node) error {
	timeout := n.StopTimeout
	if n.Err != nil {
		timeout = time.Duration(spec.Default().Init.StopTimeout)
	}
	a.notify.tell("EXTEND_TIMEOUT_USEC", fmt.Sprint((timeout + 2*stopSlack).Microseconds()))
	bounded, cancel := context.WithTimeout(ctx, timeout+stopSlack)
	defer cancel()
	err := a.Manager.Stop(bounded, n.Name, guest.StopOptions{Timeout: &timeout})
	if err != nil && !a.ended(err) {
		a.logError("stop: "+n.Name, err)
		err = a.Manager.Stop(ctx, n.Name, guest.StopOptions{Kill: true})
	}
	if err != nil && !a.ended(err) {
		return err
	}
	a.logf("stop: %s %s", n.Name, a.howItEnded(ctx, n.Name, timeout))
	return nil
}

// ended says that a stop found nothing to stop.
func (a *autostarter) ended(err error) bool {
	return errors.Is(err, guest.ErrState) || errors.Is(err, guest.ErrNoGuest)
}

func (a *autostarter) howItEnded(ctx context.Context, name string, timeout time.Duration) string {
	info, err := a.Manager.Info(ctx, name)
	if err == nil && info.Exit != nil && info.Exit.Reason == state.ReasonKilled {
		return fmt.Sprintf("was killed: its shutdown took longer than %s", spec.Duration(timeout))
	}
	return "is stopped"
}

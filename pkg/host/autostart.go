package host

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/sysct/sysct/pkg/guest/autostart"
)

// autostarter starts the guests that are to start with the host, each once in a boot of
// it, and stops all that run when the service ends.
type autostarter struct {
	*service
	marks *marks
	// turn is held by the starts that are under way.
	turn sync.Mutex
	// starts are all turns, for the end to wait for.
	starts sync.WaitGroup
}

func newAutostart(s *service) (*autostarter, error) {
	boot, err := s.Manager.BootID()
	if err != nil {
		return nil, err
	}
	marks, err := openMarks(s.dir, boot)
	return &autostarter{service: s, marks: marks}, err
}

func (a *autostarter) Name() string { return "autostart" }

// Reconcile has those guests started that weren't yet. It doesn't wait for them.
func (a *autostarter) Reconcile(ctx context.Context) error {
	all, err := a.Manager.Autostarts()
	if err != nil {
		return err
	}
	chosen, problems := autostart.Choose(all)
	var errs []error
	for _, p := range problems {
		errs = append(errs, fmt.Errorf("%s isn't started: %w", p.Name, p.Err))
	}
	names := a.due(autostart.NewPlan(all, chosen))
	if a.Manager.Units() {
		return errors.Join(append(errs, a.startUnits(ctx, autostart.NewPlan(all, names)))...)
	}
	a.starts.Go(func() {
		a.turn.Lock()
		defer a.turn.Unlock()
		a.startAll(ctx, autostart.NewPlan(all, names))
	})
	return errors.Join(errs...)
}

// due are the guests of a plan that haven't been started, and those that they need.
func (a *autostarter) due(plan *autostart.Plan) []string {
	needs := map[string][]string{}
	for _, n := range plan.Nodes {
		needs[n.Name] = n.Needs
	}
	var names []string
	var add func(name string)
	add = func(name string) {
		if !slices.Contains(names, name) {
			names = append(names, name)
			for _, other := range needs[name] {
				add(other)
			}
		}
	}
	for _, n := range plan.Nodes {
		if !a.marks.has(n.Name) {
			add(n.Name)
		}
	}
	return names
}

// Close waits for the end of the starts that are under way, and stops all guests. Those
// that are systemd's it stops when the host goes down.
func (a *autostarter) Close(ctx context.Context, keep bool) error {
	a.starts.Wait()
	if keep || a.Manager.Units() {
		return nil
	}
	err := a.stopAll(ctx)
	return errors.Join(err, a.marks.clear())
}

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
	// again: this service has had its first turn.
	again bool
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
	due, err := a.due(chosen)
	if err != nil {
		errs = append(errs, err)
	}
	names := withNeeds(autostart.NewPlan(all, chosen), due)
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

// due are those of the chosen guests that are to be started now. The first service of a
// boot of the host has them all started, and one that comes after it, if it was killed,
// what is left of these. A reload adds those that were enabled since. Whatever has run
// meanwhile was started by somebody else, and may have been stopped since.
func (a *autostarter) due(chosen []string) ([]string, error) {
	var err error
	begun := a.marks.begun()
	if !begun || a.again {
		err = a.marks.want(chosen)
	}
	a.again = true
	due := a.marks.due(chosen)
	if begun {
		due = slices.DeleteFunc(due, a.Manager.HasRun)
	}
	return due, err
}

// withNeeds are guests of a plan and those that they need.
func withNeeds(plan *autostart.Plan, due []string) []string {
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
	for _, name := range due {
		add(name)
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

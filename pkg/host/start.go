package host

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sysct/sysct/pkg/guest"
	"github.com/sysct/sysct/pkg/guest/autostart"
)

// starting is one turn of starts.
type starting struct {
	*autostarter
	plan  *autostart.Plan
	slots chan struct{}
	mu    sync.Mutex
	fault map[string]bool // could not be started
	done  int
}

// startAll starts the guests of a plan, those of a rank at the same time.
func (a *autostarter) startAll(ctx context.Context, plan *autostart.Plan) {
	if len(plan.Nodes) == 0 {
		return
	}
	jobs := a.Jobs
	if jobs < 1 {
		jobs = len(plan.Nodes)
	}
	t := &starting{autostarter: a, plan: plan, slots: make(chan struct{}, jobs), fault: map[string]bool{}}
	plan.Walk(0, false, func(n autostart.Node) { t.turnOf(ctx, n) })
	if ctx.Err() == nil {
		a.notify.status(t.summary())
		a.logf("autostart: %s", t.summary())
	}
}

func (t *starting) summary() string {
	return fmt.Sprintf("%d of %d guests started", t.done-len(t.fault), len(t.plan.Nodes))
}

// turnOf starts a guest when those are ready that it wants to be, and holds up the next
// rank for its delay.
func (t *starting) turnOf(ctx context.Context, n autostart.Node) {
	err := t.before(ctx, n)
	if err == nil {
		t.slots <- struct{}{}
		err = t.start(ctx, n.Name)
		<-t.slots
	}
	if ctx.Err() != nil {
		return
	}
	t.mu.Lock()
	t.done++
	if err != nil {
		t.fault[n.Name] = true
	}
	t.mu.Unlock()
	if err != nil {
		t.logError("autostart: "+n.Name+" isn't started", err)
		return
	}
	t.logError("autostart", t.marks.add(n.Name))
	t.notify.status("starting guests: " + t.summary())
	if n.Rank < t.plan.Nodes[len(t.plan.Nodes)-1].Rank {
		pause(ctx, n.Delay)
	}
}

// before waits for what the guest waits for.
func (t *starting) before(ctx context.Context, n autostart.Node) error {
	for _, name := range n.Needs {
		t.mu.Lock()
		fault := t.fault[name]
		t.mu.Unlock()
		if fault {
			return fmt.Errorf("it requires %s, which couldn't be started", name)
		}
	}
	var wg sync.WaitGroup
	errs := make([]error, len(n.Requires)+len(n.After))
	for i, name := range append(append([]string{}, n.Requires...), n.After...) {
		wg.Go(func() { errs[i] = t.ready(ctx, n.Name, name) })
	}
	wg.Wait()
	return errors.Join(append(errs[:len(n.Requires)], ctx.Err())...)
}

// ready waits until another guest is ready, or isn't in time. That it isn't started, or has
// ended, is an error.
func (t *starting) ready(ctx context.Context, name, other string) error {
	err := t.Manager.Wait(ctx, other, guest.WaitOptions{Ready: true, Timeout: &t.Patience})
	if errors.Is(err, guest.ErrTimeout) {
		t.logf("autostart: %s starts though %s is not ready after %v", name, other, t.Patience)
		return nil
	}
	if err != nil {
		return fmt.Errorf("it requires %s: %w", other, err)
	}
	return nil
}

func (t *starting) start(ctx context.Context, name string) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	err := t.Manager.Start(ctx, name, guest.StartOptions{Early: true})
	if errors.Is(err, guest.ErrState) && !errors.Is(err, guest.ErrProtected) && t.runs(ctx, name) {
		t.logf("autostart: %s runs already", name)
		return nil
	}
	if err == nil {
		t.logf("autostart: %s is started", name)
	}
	return err
}

func (a *autostarter) runs(ctx context.Context, name string) bool {
	list, err := a.Manager.List(ctx, guest.ListOptions{Brief: true, Names: []string{name}})
	return err == nil && len(list) == 1 && isUp(&list[0])
}

// pause waits for a time, or for the end.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

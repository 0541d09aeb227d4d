package guest

import (
	"context"
	"errors"
	"fmt"
	"strings"

	sysctx "github.com/sysct/sysct/pkg/context"
	"github.com/sysct/sysct/pkg/guest/state"
)

// MendNetwork makes anew what is gone of a running guest's network: its interfaces, their
// places on bridges, what belongs to them on the host. The guest isn't touched otherwise, and
// has the same addresses. It says which interfaces were mended. ErrState: the guest doesn't
// run.
func (m *Manager) MendNetwork(ctx context.Context, name string) ([]string, error) {
	if err := m.check(name); err != nil {
		return nil, err
	}
	lock, err := m.lock(ctx, name)
	if err != nil {
		return nil, err
	}
	defer lock.Release()
	run, err := m.status(ctx, name)
	if err != nil {
		return nil, callError(err)
	}
	if run == nil || run.Pid <= 1 || run.State == state.Starting || run.State == state.Stopped {
		return nil, stateError("it is not running")
	}
	plan, err := m.runningPlan(ctx, name)
	if err != nil {
		return nil, err
	}
	net := &plan.Context.Net
	if net.Program == "" {
		return nil, nil
	}
	// The program that it was started by may be an older one, which doesn't know how.
	if net.Program, err = m.netProgram(); err != nil {
		return nil, err
	}
	said, err := sysctx.RunNetwork(net, "mend", net.Setup, fmt.Appendf(nil, "pid %d", run.Pid))
	if err != nil {
		return nil, fmt.Errorf("cannot mend its network: %w", err)
	}
	var mended []string
	for line := range strings.Lines(said) {
		if names, ok := strings.CutPrefix(line, "mended "); ok {
			mended = append(mended, strings.Fields(names)...)
		}
	}
	return mended, nil
}

// MendNetworks is MendNetwork for all guests that run: those that had something to be mended,
// with the interfaces.
func (m *Manager) MendNetworks(ctx context.Context) (map[string][]string, error) {
	names, err := m.Names()
	if err != nil {
		return nil, err
	}
	mended := map[string][]string{}
	var errs []error
	for _, name := range names {
		if running, err := m.populated(name); err != nil || !running {
			continue
		}
		list, err := m.MendNetwork(ctx, name)
		if err != nil && !errors.Is(err, ErrState) {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
		}
		if len(list) > 0 {
			mended[name] = list
		}
	}
	return mended, errors.Join(errs...)
}

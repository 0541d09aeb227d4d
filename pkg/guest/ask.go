package guest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/sysct/sysct/pkg/guest/holder"
	"github.com/sysct/sysct/pkg/guest/monitor"
)

// earlyMonitor is a monitor that was asked of the holder before it is known whether
// its guest can be started: a process takes longer to come up than the guest's files
// to be read, and one that isn't needed ends by itself.
type earlyMonitor struct {
	order *monitor.Order
	asked chan error
}

// askMonitor asks for the guest's monitor, and doesn't wait for it.
func (m *Manager) askMonitor(ctx context.Context, name string) (*earlyMonitor, error) {
	helper, err := m.helper()
	if err != nil {
		return nil, err
	}
	order, err := monitor.NewOrder()
	if err != nil {
		return nil, err
	}
	e := &earlyMonitor{order: order, asked: make(chan error, 1)}
	cfg := holder.Config{RunDir: m.dirs.Run, LogDir: m.dirs.Log, Base: m.base(), Helper: helper}
	go func() {
		bounded, cancel := context.WithTimeout(ctx, lockPatience)
		_, err := holder.Start(bounded, cfg, name, order.Plan, order.Theirs)
		if err != nil && bounded.Err() != nil && ctx.Err() == nil {
			err = as(ErrLocked, fmt.Errorf("the holder of %s does not answer: %w", m.dirs.Run, err))
		}
		cancel()
		order.Theirs.Close()
		e.asked <- err
	}()
	return e, nil
}

// wait waits until there is a monitor: a *control.Error of KindState if there is one
// already.
func (e *earlyMonitor) wait() error {
	err := <-e.asked
	e.asked <- err
	return err
}

// close gives the monitor up, unless it was told to begin.
func (e *earlyMonitor) close() {
	if e == nil {
		return
	}
	e.wait() // a verb that ends in the middle would leave the holder half started
	e.order.Close()
}

// begin tells the monitor to start the guest, and waits for its report.
func (m *Manager) begin(ctx context.Context, e *earlyMonitor, plan *monitor.Plan) error {
	began := time.Now()
	if err := e.order.Begin(plan); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, e.order.Close)
	defer stop()
	report, err := e.order.Report()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return m.startedBySuccessor(ctx, plan)
	}
	if err != nil {
		return err
	}
	for _, warning := range report.Warnings {
		m.opt.Warn(warning)
	}
	if report.Error != nil {
		m.noteFailure(plan, report.Error, began)
		return startFailure(report.Error)
	}
	return nil
}

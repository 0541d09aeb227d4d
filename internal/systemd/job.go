package systemd

import (
	"context"
	"errors"
	"fmt"

	"github.com/godbus/dbus/v5"
)

// A JobError is a job that systemd didn't do. Result is its word for why: failed,
// canceled, timeout, dependency, skipped.
type JobError struct{ Unit, Result string }

func (e *JobError) Error() string {
	if e.Result == "dependency" {
		return fmt.Sprintf("a unit that %s requires failed", e.Unit)
	}
	return fmt.Sprintf("systemd's job for %s ended as %q", e.Unit, e.Result)
}

// ErrMasked is a unit that an administrator has forbidden to start.
var ErrMasked = errors.New("the unit is masked")

// Start starts a unit and waits until it is active. [ErrMasked] if it may not be, a *[JobError] if
// it fails. When ctx
// ends, the job goes on.
func (c *Conn) Start(ctx context.Context, unit string) error {
	return c.job(ctx, unit, "StartUnit", unit, "replace")
}

// Queue has a unit started and doesn't wait for it.
func (c *Conn) Queue(ctx context.Context, unit string) error {
	if err := c.call(ctx, "StartUnit", unit, "replace").Err; err != nil {
		return fmt.Errorf("cannot ask systemd for %s: %w", unit, err)
	}
	return nil
}

// Stop stops a unit and waits until it is inactive.
func (c *Conn) Stop(ctx context.Context, unit string) error {
	return c.job(ctx, unit, "StopUnit", unit, "replace")
}

// Restart restarts a unit and waits until it is active.
func (c *Conn) Restart(ctx context.Context, unit string) error {
	return c.job(ctx, unit, "RestartUnit", unit, "replace")
}

// job calls a method that makes a job, and waits for its end.
func (c *Conn) job(ctx context.Context, unit, method string, args ...any) error {
	// First: the job may be done before its name is known here.
	if err := c.subscribe(ctx); err != nil {
		return err
	}
	var job dbus.ObjectPath
	if err := c.call(ctx, method, args...).Store(&job); err != nil {
		if isError(err, service+".UnitMasked") {
			return ErrMasked
		}
		return fmt.Errorf("cannot ask systemd for %s: %w", unit, err)
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case sig, ok := <-c.signals:
			if !ok {
				return fmt.Errorf("cannot wait for %s: %w", unit, ErrLost)
			}
			if sig.Sender != c.owner && !c.Direct {
				continue // any user of the bus may send one
			}
			if result, done := jobResult(sig, job); done {
				if result != "done" {
					return &JobError{unit, result}
				}
				return nil
			}
		}
	}
}

// jobResult reads JobRemoved: id, job, unit, result.
func jobResult(sig *dbus.Signal, job dbus.ObjectPath) (string, bool) {
	if sig.Name != manager+".JobRemoved" || len(sig.Body) < 4 || sig.Body[1] != job {
		return "", false
	}
	result, ok := sig.Body[3].(string)
	return result, ok
}

package systemd

import (
	"context"
	"encoding/hex"
	"fmt"

	"github.com/godbus/dbus/v5"
)

// ActiveState is a unit's: active, reloading, inactive, failed, activating,
// deactivating.
func (c *Conn) ActiveState(ctx context.Context, unit string) (string, error) {
	return c.property(ctx, unit, unitIface, "ActiveState")
}

// Masked says whether somebody has forbidden to start a unit.
func (c *Conn) Masked(ctx context.Context, unit string) (bool, error) {
	state, err := c.property(ctx, unit, unitIface, "LoadState")
	return state == "masked", err
}

// Invocation is which run of a unit it is, the one now or the last; "" if there was none. See
// INVOCATION_ID in systemd.exec(5).
func (c *Conn) Invocation(ctx context.Context, unit string) (string, error) {
	return c.property(ctx, unit, unitIface, "InvocationID")
}

// property reads a property of a unit that is a string, or bytes, as hexadecimal digits. The
// unit is loaded for it.
func (c *Conn) property(ctx context.Context, unit, iface, name string) (string, error) {
	var path dbus.ObjectPath
	if err := c.call(ctx, "LoadUnit", unit).Store(&path); err != nil {
		return "", fmt.Errorf("cannot load unit %s: %w", unit, err)
	}
	var value dbus.Variant
	err := c.bus.Object(service, path).CallWithContext(ctx, props+".Get", 0, iface, name).Store(&value)
	if err != nil {
		return "", fmt.Errorf("cannot read %s of unit %s: %w", name, unit, err)
	}
	if id, ok := value.Value().([]byte); ok {
		return hex.EncodeToString(id), nil
	}
	text, _ := value.Value().(string)
	return text, nil
}

// GoingDown says whether the host is being shut down or rebooted.
func (c *Conn) GoingDown(ctx context.Context) (bool, error) {
	var value dbus.Variant
	err := c.bus.Object(service, object).CallWithContext(ctx, props+".Get", 0, manager, "SystemState").Store(&value)
	if err != nil {
		return false, fmt.Errorf("cannot read systemd's state: %w", err)
	}
	return value.Value() == "stopping", nil
}

// pending is a unit's property Job: the number of a job that is queued or runs, 0 for none.
type pending struct {
	ID  uint32
	Job dbus.ObjectPath
}

// JobType is what systemd is about to do with a unit: start, stop, restart, …; "" for
// nothing.
func (c *Conn) JobType(ctx context.Context, unit string) (string, error) {
	var path dbus.ObjectPath
	if err := c.call(ctx, "LoadUnit", unit).Store(&path); err != nil {
		return "", fmt.Errorf("cannot load unit %s: %w", unit, err)
	}
	var job pending
	var value dbus.Variant
	err := c.bus.Object(service, path).CallWithContext(ctx, props+".Get", 0, unitIface, "Job").Store(&value)
	if err == nil {
		err = value.Store(&job)
	}
	if err != nil {
		return "", fmt.Errorf("cannot read job of unit %s: %w", unit, err)
	}
	if job.ID == 0 {
		return "", nil
	}
	err = c.bus.Object(service, job.Job).CallWithContext(ctx, props+".Get", 0, service+".Job", "JobType").Store(&value)
	if err != nil {
		return "", fmt.Errorf("cannot read job of unit %s: %w", unit, err)
	}
	text, _ := value.Value().(string)
	return text, nil
}

// ResetFailed has systemd forget that a unit failed. That there is no such unit is no
// error.
func (c *Conn) ResetFailed(ctx context.Context, unit string) error {
	err := c.call(ctx, "ResetFailedUnit", unit).Err
	if err != nil && !isError(err, service+".NoSuchUnit") {
		return fmt.Errorf("cannot reset unit %s: %w", unit, err)
	}
	return nil
}

// Reload has systemd read its unit files anew.
func (c *Conn) Reload(ctx context.Context) error {
	if err := c.call(ctx, "Reload").Err; err != nil {
		return fmt.Errorf("cannot have systemd read its units: %w", err)
	}
	return nil
}

// change is a link that was made or removed: its kind, its path, where it leads.
type change struct{ Kind, Path, Target string }

// Enable links a unit where its [Install] section says, and has systemd read that.
func (c *Conn) Enable(ctx context.Context, unit string) error {
	var hasInfo bool
	var changes []change
	err := c.call(ctx, "EnableUnitFiles", []string{unit}, false, false).Store(&hasInfo, &changes)
	return c.linked(ctx, "enable", unit, changes, err)
}

// Disable takes these links away.
func (c *Conn) Disable(ctx context.Context, unit string) error {
	var changes []change
	err := c.call(ctx, "DisableUnitFiles", []string{unit}, false).Store(&changes)
	return c.linked(ctx, "disable", unit, changes, err)
}

func (c *Conn) linked(ctx context.Context, verb, unit string, changes []change, err error) error {
	if err != nil {
		return fmt.Errorf("cannot %s unit %s: %w", verb, unit, err)
	}
	if len(changes) == 0 {
		return nil
	}
	return c.Reload(ctx)
}

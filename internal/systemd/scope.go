package systemd

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/godbus/dbus/v5"
	"golang.org/x/sys/unix"
)

// Scope is a transient scope to be made (systemd.scope(5)).
type Scope struct {
	Name        string // with its suffix
	Description string
	Slice       string
	Before      []string // units that are stopped before it
	Pid         int      // the process that is moved into it

	Shares
}

// Shares are what systemd sets on a scope itself, see systemd.resource-control(5); nil is
// the default.
type Shares struct{ CPUWeight, IOWeight, MemoryMin *int64 }

// shareProperties are their names.
func shareProperties() []string { return []string{"CPUWeight", "IOWeight", "MemoryMin"} }

func (s Shares) values() []*int64 { return []*int64{s.CPUWeight, s.IOWeight, s.MemoryMin} }

// defaults are what systemd takes for none, in the same order.
func defaults() []uint64 { return []uint64{math.MaxUint64, math.MaxUint64, 0} }

type property struct {
	Name  string
	Value dbus.Variant
}

// aux stands for the auxiliary units of a transient unit, of which there are none.
type aux struct {
	Name  string
	Props []property
}

// StartScope makes a scope with its whole control group delegated to the caller, and
// waits until the process is in it. One of this name that is left is stopped first.
func (c *Conn) StartScope(ctx context.Context, s Scope) error {
	err := c.startScope(ctx, s)
	if !isError(err, service+".UnitExists") {
		return err
	}
	// The end of an earlier boot is not yet known to systemd, or it failed.
	stopped := c.Stop(ctx, s.Name)
	c.ResetFailed(ctx, s.Name)
	if err = c.startScope(ctx, s); err != nil {
		return errors.Join(err, stopped)
	}
	return nil
}

func (c *Conn) startScope(ctx context.Context, s Scope) error {
	list := []property{
		{"Description", dbus.MakeVariant(s.Description)},
		{"Slice", dbus.MakeVariant(s.Slice)},
		{"Delegate", dbus.MakeVariant(true)},
		{"PIDs", dbus.MakeVariant([]uint32{uint32(s.Pid)})},
		{"CollectMode", dbus.MakeVariant("inactive-or-failed")},
		// A guest is asked to stop by its monitor. Who stops the scope wants its end:
		// SIGTERM would have an init execute itself anew.
		{"KillSignal", dbus.MakeVariant(int32(unix.SIGKILL))},
	}
	if len(s.Before) > 0 {
		list = append(list, property{"Before", dbus.MakeVariant(s.Before)})
	}
	for i, value := range s.values() {
		if value != nil {
			list = append(list, property{shareProperties()[i], dbus.MakeVariant(uint64(*value))})
		}
	}
	return c.job(ctx, s.Name, "StartTransientUnit", s.Name, "fail", list, []aux{})
}

// SetShares has systemd give a scope that is there other shares, as long as it is there.
func (c *Conn) SetShares(ctx context.Context, scope string, s Shares) error {
	var list []property
	for i, value := range s.values() {
		number := defaults()[i]
		if value != nil {
			number = uint64(*value)
		}
		list = append(list, property{shareProperties()[i], dbus.MakeVariant(number)})
	}
	if err := c.call(ctx, "SetUnitProperties", scope, true, list).Err; err != nil {
		return fmt.Errorf("cannot set properties of %s: %w", scope, err)
	}
	return nil
}

package systemd

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/godbus/dbus/v5"
)

// Where systemd-machined is on a bus (org.freedesktop.machine1(5)).
const (
	machined        = "org.freedesktop.machine1"
	machinedObject  = "/org/freedesktop/machine1"
	machinedManager = machined + ".Manager"
	machineIface    = machined + ".Machine"
)

// ErrNoMachined is the cause when this host has no systemd-machined: it isn't installed,
// it is masked, or nobody starts it.
var ErrNoMachined = errors.New("systemd-machined is not there")

// ErrMachineName is the cause when a machine has the name that isn't the guest.
var ErrMachineName = errors.New("another machine has this name")

// Machine is what machined is told of a container.
type Machine struct {
	Name    string
	ID      string // its machine id, hexadecimal
	Service string // who looks after it
	Unit    string // that its processes are in
	Leader  int    // its init's pid
	Root    string // the way to its root file system on this host
	Links   []int  // indices of this host's sides of its interfaces
}

// IsMachineName says whether machined takes a name: that of a host, of 64 letters at most.
func IsMachineName(name string) bool {
	label := 0 // letters of the label so far
	for i := range len(name) {
		switch c := name[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-' && label > 0:
			label++
		case c == '.' && label > 0 && name[i-1] != '-':
			label = 0
		default:
			return false
		}
	}
	return label > 0 && name[len(name)-1] != '-' && len(name) <= 64
}

// Register tells machined of a running container; it starts machined if need be. What
// machined still has of an earlier boot in the same unit is taken back first.
func (c *Conn) Register(ctx context.Context, m Machine) error {
	id, err := hex.DecodeString(m.ID)
	if err != nil {
		return fmt.Errorf("cannot register machine id %q: %w", m.ID, err)
	}
	for {
		err := c.registerOnce(ctx, m, id)
		if !isError(err, machined+".MachineExists") {
			return machinedError("register", m.Name, err)
		}
		found, err := c.machine(ctx, m.Name)
		switch {
		case err != nil:
			return err
		case found.Leader == m.Leader:
			return nil
		case found.Leader != 0 && found.Unit != m.Unit:
			return fmt.Errorf("cannot register %s with systemd-machined: %w: it is %s's", m.Name, ErrMachineName, found.Service)
		}
		if err := c.unregister(ctx, m.Name, m.Unit); err != nil {
			return err
		}
	}
}

func (c *Conn) registerOnce(ctx context.Context, m Machine, id []byte) error {
	if len(m.Links) == 0 {
		return c.machined(ctx, 0, "RegisterMachine", m.Name, id, m.Service, "container", uint32(m.Leader), m.Root).Err
	}
	links := make([]int32, len(m.Links))
	for i, index := range m.Links {
		links[i] = int32(index)
	}
	return c.machined(ctx, 0, "RegisterMachineWithNetwork", m.Name, id, m.Service, "container", uint32(m.Leader), m.Root, links).Err
}

// Unregister has machined forget what it has in a unit under a name, and returns when it
// has. That there is none, or no such machine, is no error. A machined that doesn't run is
// started only if it has left a record of the machine.
//
// Who is about to make the unit anew has to do that first: a machined that sees that the
// unit is gone stops it, by its name, and would stop the new one. It does so as well when
// it comes up and finds its record, before it answers anybody.
func (c *Conn) Unregister(ctx context.Context, name, unit string) error {
	if HasMachineRecord(name) {
		if err := c.machined(ctx, 0, "GetMachine", name).Err; err != nil && !isError(err, machined+".NoSuchMachine") {
			if err = machinedError("look for", name, err); !errors.Is(err, ErrNoMachined) {
				return err
			}
		}
	}
	err := c.unregister(ctx, name, unit)
	if errors.Is(err, ErrNoMachined) {
		return nil
	}
	return err
}

// HasMachineRecord says whether machined, running or not, has a record of a machine.
func HasMachineRecord(name string) bool {
	_, err := os.Lstat("/run/systemd/machines/" + name)
	return err == nil
}

// machinedPause is between two looks whether machined has forgotten a machine.
const machinedPause = 5 * time.Millisecond

func (c *Conn) unregister(ctx context.Context, name, unit string) error {
	for first := true; ; first = false {
		found, err := c.machine(ctx, name)
		if err != nil || found.Leader == 0 || found.Unit != unit {
			return err
		}
		if first {
			err := c.machined(ctx, dbus.FlagNoAutoStart, "UnregisterMachine", name).Err
			if err != nil && !isError(err, machined+".NoSuchMachine") {
				return machinedError("unregister", name, err)
			}
		}
		select {
		case <-ctx.Done():
			return machinedError("unregister", name, ctx.Err())
		case <-time.After(machinedPause):
		}
	}
}

// machine is what machined knows under a name; no leader: nothing. It starts no machined.
func (c *Conn) machine(ctx context.Context, name string) (Machine, error) {
	m := Machine{Name: name}
	var path dbus.ObjectPath
	err := c.machined(ctx, dbus.FlagNoAutoStart, "GetMachine", name).Store(&path)
	if err == nil {
		all := map[string]dbus.Variant{}
		err = c.bus.Object(machined, path).CallWithContext(ctx, props+".GetAll", dbus.FlagNoAutoStart, machineIface).Store(&all)
		leader, _ := all["Leader"].Value().(uint32)
		m.Leader = int(leader)
		m.Unit, _ = all["Unit"].Value().(string)
		m.Service, _ = all["Service"].Value().(string)
		m.Root, _ = all["RootDirectory"].Value().(string)
	}
	if isError(err, machined+".NoSuchMachine") || isError(err, "org.freedesktop.DBus.Error.UnknownObject") {
		return m, nil // in the second case it went between the two calls
	}
	return m, machinedError("look for", name, err)
}

// machined calls a method of machined's manager.
func (c *Conn) machined(ctx context.Context, flags dbus.Flags, method string, args ...any) *dbus.Call {
	if c.Direct {
		return &dbus.Call{Err: ErrNoMachined}
	}
	return c.bus.Object(machined, machinedObject).CallWithContext(ctx, machinedManager+"."+method, flags, args...)
}

func machinedError(verb, name string, err error) error {
	for _, absent := range []string{
		"org.freedesktop.DBus.Error.ServiceUnknown", "org.freedesktop.DBus.Error.NameHasNoOwner",
		service + ".NoSuchUnit", service + ".UnitMasked",
	} {
		if isError(err, absent) {
			err = ErrNoMachined
		}
	}
	if err == nil {
		return nil
	}
	return fmt.Errorf("cannot %s machine %s: %w", verb, name, err)
}

// WatchMachined calls changed whenever machined has come up, until the connection ends or
// ctx does: never nil.
func (c *Conn) WatchMachined(ctx context.Context, changed func()) error {
	if c.Direct {
		return ErrNoMachined
	}
	const bus = "org.freedesktop.DBus"
	err := c.bus.AddMatchSignalContext(ctx, dbus.WithMatchInterface(bus), dbus.WithMatchMember("NameOwnerChanged"), dbus.WithMatchArg(0, machined))
	if err != nil {
		return fmt.Errorf("cannot listen to D-Bus: %w", err)
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case sig, ok := <-c.signals:
			if !ok {
				return fmt.Errorf("cannot listen to D-Bus: %w: the connection was lost", ErrAway)
			}
			if owner, is := newOwner(sig); is && owner != "" {
				changed()
			}
		}
	}
}

// newOwner reads NameOwnerChanged of machined's name: name, old owner, new owner.
func newOwner(sig *dbus.Signal) (string, bool) {
	if sig.Name != "org.freedesktop.DBus.NameOwnerChanged" || len(sig.Body) != 3 || sig.Body[0] != machined {
		return "", false
	}
	owner, ok := sig.Body[2].(string)
	return owner, ok
}

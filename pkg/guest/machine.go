package guest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/sysct/sysct/internal/systemd"
)

// A running guest that is a unit is known to systemd-machined, if the host has that, and by
// it to machinectl, journalctl -M and systemctl -M. Nothing of sysct's own needs it. A guest
// is registered at each boot by the process that makes its scope, and machined forgets it
// when the scope is gone; the host service registers those that machined doesn't know.

// How long machined is waited for: before a boot, which it would hold up, and after it.
const (
	unregisterPatience = time.Second
	registerPatience   = 10 * time.Second
)

// machine is what machined is told of a guest.
func (m *Manager) machine(ctx context.Context, name string, leader int) (systemd.Machine, error) {
	id, err := m.identity(name)
	if err != nil {
		return systemd.Machine{}, err
	}
	return systemd.Machine{Name: name, ID: id.MachineID, Service: "sysct", Unit: scopeName(name), Leader: leader, Root: m.Rootfs(name),
		Links: m.hostLinks(ctx, name, leader)}, nil
}

// register tells machined of a guest's boot. That there is no machined is no error.
func (m *Manager) register(ctx context.Context, conn *systemd.Conn, name string, leader int) error {
	if !systemd.IsMachineName(name) {
		return fmt.Errorf("not registered with systemd-machined: the name is no host's name")
	}
	machine, err := m.machine(ctx, name, leader)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, registerPatience)
	defer cancel()
	if err := conn.Register(ctx, machine); err != nil && !errors.Is(err, systemd.ErrNoMachined) {
		return err
	}
	return nil
}

// unregister has machined forget an earlier boot, before the scope of the next is made. If
// it can't be asked, the boot isn't held up.
func unregister(ctx context.Context, conn *systemd.Conn, name string, warn io.Writer) {
	if !systemd.IsMachineName(name) {
		return
	}
	patience := unregisterPatience
	if systemd.HasMachineRecord(name) {
		patience = registerPatience // it may have to come up first
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := conn.Unregister(ctx, name, scopeName(name)); err != nil {
		fmt.Fprintln(warn, err)
	}
}

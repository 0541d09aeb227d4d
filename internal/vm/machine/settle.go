package machine

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sysct/sysct/internal/vm/wire"
)

// settle gives a machine the time and its own random numbers and waits for its drives.
func (m *Machine) settle(ctx context.Context, drives []Drive) error {
	s, err := m.open(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	seed := make([]byte, 32)
	rand.Read(seed)
	if err := s.send(wire.Request{Op: wire.Settle, Time: time.Now(), Data: seed}); err != nil {
		return err
	}
	if _, err := s.collect(Command{}); err != nil {
		return err
	}
	s.close()
	return m.identify(ctx, drives)
}

// identity gives the machine an id of its own, which the journal goes by, and waits for the drives that it is called with.
const identity = `set -eu
tr -d - </proc/sys/kernel/random/uuid >/etc/machine-id
systemctl restart systemd-journald
for name in "$@"; do
    udevadm wait --timeout=60 "/dev/disk/by-id/virtio-$name"
done`

func (m *Machine) identify(ctx context.Context, drives []Drive) error {
	args := []string{"sh", "-c", identity, "sh"}
	for _, d := range drives {
		args = append(args, d.Name)
	}
	_, err := m.Output(ctx, args...)
	return err
}

// Output runs a command that has to succeed and gives what it prints.
func (m *Machine) Output(ctx context.Context, args ...string) (string, error) {
	var out, complaint bytes.Buffer
	status, err := m.Run(ctx, Command{Args: args, Stdout: &out, Stderr: &complaint})
	if err == nil && status != 0 {
		err = fmt.Errorf("status %d", status)
	}
	if err != nil {
		return "", errors.Join(fmt.Errorf("%q in the machine: %w", strings.Join(args, " "), err), errors.New(complaint.String()))
	}
	return out.String(), nil
}

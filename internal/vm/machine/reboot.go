package machine

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// rebootPatience is what a shutdown and a boot may take: guests that are started with the host are part of both.
const rebootPatience = 25 * time.Minute

// Reboot reboots a machine, by its reset button or as an administrator does, and waits until it is up again.
func (m *Machine) Reboot(ctx context.Context, hard bool) error {
	ctx, cancel := context.WithTimeoutCause(ctx, rebootPatience, errors.New("the machine takes too long to reboot"))
	defer cancel()
	before, err := m.Boot(ctx)
	if err != nil {
		return err
	}
	if hard {
		err = m.Reset(ctx)
	} else {
		_, err = m.Output(ctx, "systemctl", "reboot", "--no-block")
		if errors.Is(err, ErrRebooted) && m.Runs() { // before it had answered
			err = nil
		}
	}
	if err != nil {
		return fmt.Errorf("cannot reboot: %w", err)
	}
	for {
		now, err := m.Boot(ctx)
		if err != nil {
			return err
		}
		if now != before {
			break
		}
		time.Sleep(time.Second)
	}
	_, err = m.Run(ctx, Command{Args: []string{"systemctl", "is-system-running", "--wait"}})
	return err
}

package guest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sysct/sysct/internal/systemd"
	"github.com/sysct/sysct/pkg/guest/autostart"
)

// startRequired starts the guests that one requires which is about to be started, and
// waits until they are ready. systemd isn't told of the requirement, see autostart.Units:
// it is for a first start, and nothing that becomes of the other guest later counts.
func (m *Manager) startRequired(ctx context.Context, name string) error {
	all, err := m.Autostarts()
	if err != nil {
		return err
	}
	needs, err := autostart.Needs(all, name)
	if err != nil || len(needs) == 0 {
		return err
	}
	if populated, err := m.populated(name); populated || err != nil {
		return err // it runs, and its monitor is to be found again
	}
	conn, err := m.connectSystemd(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	began := time.Now()
	for _, other := range needs { // all at the same time
		if err := conn.Queue(ctx, UnitName(other)); err != nil {
			return fmt.Errorf("it requires %s: %w", other, err)
		}
	}
	for _, other := range needs {
		err := conn.Start(ctx, UnitName(other))
		if errors.Is(err, systemd.ErrLost) {
			err = m.Wait(ctx, other, WaitOptions{Ready: true})
		} else {
			err = m.unitFailure(other, began, err)
		}
		if err != nil {
			return fmt.Errorf("it requires %s, which can't be started: %w", other, err)
		}
	}
	return nil
}

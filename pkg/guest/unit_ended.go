package guest

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strconv"

	"github.com/sysct/sysct/pkg/guest/monitor"
	"github.com/sysct/sysct/pkg/limits"
)

// Ended is what systemd executes when the process of a guest's service has ended
// (ExecStopPost= of systemd.service(5), whose variables it reads). A monitor that dies
// gets a successor; where it dies while its unit is being stopped, none comes, and what
// it has left of the guest is ended here.
func (m *Manager) Ended(ctx context.Context, name string) error {
	if _, err := os.Lstat(m.dir(name)); errors.Is(err, fs.ErrNotExist) && os.Getenv("EXIT_STATUS") != strconv.Itoa(monitor.ExitNoStart) {
		m.syncGone(ctx, name) // it was an ephemeral guest
		return nil
	}
	done := []string{"0", "64", "65"} // ends of the guest, see package monitor
	if os.Getenv("EXIT_CODE") == "exited" && slices.Contains(done, os.Getenv("EXIT_STATUS")) {
		return nil
	}
	conn, err := m.connectSystemd(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if job, err := conn.JobType(ctx, UnitName(name)); job != "stop" || err != nil {
		return err
	}
	if populated, err := m.populated(name); !populated || err != nil {
		return err
	}
	plan, err := m.monitorPlan(name)
	// Not by systemd: it stops the scope after the service, which is still being stopped.
	return errors.Join(err, m.withGroup(name, func(g limits.Group) error {
		if plan != nil {
			m.opt.Warn("its monitor died while the unit is stopped: " + monitor.EndUnkept(plan, g))
		}
		return killAll(ctx, g) // what is left has had its time
	}))
}

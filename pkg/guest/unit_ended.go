package guest

import (
	"context"
	"os"
	"slices"
	"time"
)

// endedPatience is how long a guest may take to stop whose monitor died while it stopped
// it. It is less than the unit's TimeoutStopSec, which counts for this too.
const endedPatience = 60 * time.Second

// Ended is what systemd executes when the process of a guest's service has ended
// (ExecStopPost= of systemd.service(5), whose variables it reads). A monitor that dies
// gets a successor; where it dies while its unit is being stopped, none comes, and what
// it has left of the guest is ended here.
func (m *Manager) Ended(ctx context.Context, name string) error {
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
	for deadline := time.Now().Add(endedPatience); ; time.Sleep(poll) {
		// It was asked to stop, unless its monitor died before.
		populated, err := m.populated(name)
		if !populated || err != nil {
			return err
		}
		if time.Now().After(deadline) {
			break
		}
	}
	m.opt.Warn("its monitor died, and it didn't stop: it is killed")
	return conn.Stop(ctx, scopeName(name))
}

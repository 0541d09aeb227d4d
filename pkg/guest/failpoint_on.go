//go:build failpoints

package guest

import (
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// failpoint stops a verb before the step that SYSCT_FAILPOINT names: `kill:STEP`
// by SIGKILL to the own process, `stop:STEP` by SIGSTOP, until it is let go, and
// `error:STEP` by an error.
func failpoint(step string) error {
	how, at, _ := strings.Cut(os.Getenv("SYSCT_FAILPOINT"), ":")
	if at != step {
		return nil
	}
	switch how {
	case "kill":
		unix.Kill(unix.Getpid(), unix.SIGKILL)
	case "stop":
		err := unix.Kill(unix.Getpid(), unix.SIGSTOP)
		time.Sleep(time.Second) // the signal may reach another thread first
		return err
	}
	return fmt.Errorf("failpoint before %s", step)
}

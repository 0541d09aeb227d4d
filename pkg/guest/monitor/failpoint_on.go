//go:build failpoints

package monitor

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// failpoint stops the monitor before the step that SYSCT_FAILPOINT names:
// `kill:STEP` by SIGKILL to the own process, `error:STEP` by an error; `asked:STEP` has
// it asked to stop the guest just then. With
// SYSCT_FAILPOINT_ONCE, the path of a file, it does so only while that file is
// there, and removes it: a successor gets further.
func failpoint(step string) error {
	how, at, _ := strings.Cut(os.Getenv("SYSCT_FAILPOINT"), ":")
	if at != step {
		return nil
	}
	if once := os.Getenv("SYSCT_FAILPOINT_ONCE"); once != "" && os.Remove(once) != nil {
		return nil
	}
	if how == "kill" {
		unix.Kill(unix.Getpid(), unix.SIGKILL)
	}
	if how == "asked" {
		return unix.Kill(unix.Getpid(), SigStop)
	}
	return fmt.Errorf("failpoint before %s", step)
}

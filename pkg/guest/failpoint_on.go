//go:build failpoints

package guest

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// failpoint stops a verb before the step that SYSCT_FAILPOINT names: `kill:STEP`
// by SIGKILL to the own process, `error:STEP` by an error.
func failpoint(step string) error {
	how, at, _ := strings.Cut(os.Getenv("SYSCT_FAILPOINT"), ":")
	if at != step {
		return nil
	}
	if how == "kill" {
		unix.Kill(unix.Getpid(), unix.SIGKILL)
	}
	return fmt.Errorf("failpoint before %s", step)
}

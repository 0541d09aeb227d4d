package monitor

import (
	"bytes"
	"errors"
	"fmt"

	sysctx "github.com/sysct/sysct/pkg/context"
	"github.com/sysct/sysct/pkg/vnet/space"
)

// changeNetwork makes the interfaces of one plan those of another, in the namespace of the
// guest's init. It is in a job's goroutine.
func changeNetwork(from, to *space.Plan, pid int) error {
	if from.Program == to.Program && bytes.Equal(from.Setup, to.Setup) {
		return nil
	}
	if pid <= 1 {
		return errors.New("the guest has no process to find its network by")
	}
	run := to
	if run.Program == "" {
		run = from
	}
	_, err := sysctx.RunNetwork(run, "change", setupOf(from, to), setupOf(to, from), fmt.Appendf(nil, "pid %d", pid))
	return err
}

// setupOf is a plan's setup. One without interfaces still has to say whose it is: that is
// left to who reads it.
func setupOf(p, other *space.Plan) []byte {
	if len(p.Setup) == 0 {
		return []byte("{}")
	}
	return p.Setup
}

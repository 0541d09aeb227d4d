package monitor

import (
	"bytes"
	"errors"
	"fmt"

	sysctx "github.com/sysct/sysct/pkg/context"
	"github.com/sysct/sysct/pkg/vnet/space"
)

// changeNetwork makes the interfaces of one plan those of another, in the namespace of the
// guest's init. After an error they are as they were. It is in a job's goroutine, and gives
// what is to be said in the log.
func changeNetwork(from, to *space.Plan, pid int) (said string, err error) {
	if said, err = runChange("change", from, to, pid); errors.Is(err, sysctx.ErrNetworkEnded) {
		_, back := undoNetwork(to, from, pid)
		err = errors.Join(err, back)
	}
	return said, err
}

// undoNetwork brings one plan's back, wherever a change to the other was broken off.
func undoNetwork(tried, was *space.Plan, pid int) (said string, err error) {
	if pid <= 1 {
		return "", nil // between two boots: there was nothing to change
	}
	return runChange("undo", tried, was, pid)
}

func runChange(verb string, from, to *space.Plan, pid int) (said string, err error) {
	if from.Program == to.Program && bytes.Equal(from.Setup, to.Setup) {
		return "", nil
	}
	if pid <= 1 {
		return "", errors.New("the guest has no process to find its network by")
	}
	run := to
	if run.Program == "" {
		run = from
	}
	return sysctx.RunNetwork(run, verb, setupOf(from, to), setupOf(to, from), fmt.Appendf(nil, "pid %d", pid))
}

// setupOf is a plan's setup. One without interfaces still has to say whose it is: that is
// left to who reads it.
func setupOf(p, other *space.Plan) []byte {
	if len(p.Setup) == 0 {
		return []byte("{}")
	}
	return p.Setup
}

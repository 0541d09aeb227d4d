package monitor

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	sysctx "github.com/sysct/sysct/pkg/context"
	"github.com/sysct/sysct/pkg/guest/fdstore"
	"github.com/sysct/sysct/pkg/guest/state"
	"github.com/sysct/sysct/pkg/limits/detect"
)

// Main is `sysct-helper monitor NAME`. The name in args is for those who read
// the list of processes; what counts is the plan. It returns when the guest has
// stopped for good.
func Main(args []string, version string) int {
	stored, err := fdstore.Received()
	if err != nil {
		fmt.Fprintln(os.Stderr, "sysct-helper: monitor:", err)
		return 1
	}
	h := newHeritage(stored)
	h.version = version
	m, err := ready(h)
	if err != nil {
		return h.giveUp(err)
	}
	m.start(h)
	for ev := range m.events {
		m.doAll(m.core.Step(now(), ev))
	}
	if !m.ended {
		return 1
	}
	return exitStatus(&m.core.Life)
}

// Exit statuses after which a service manager must not start the monitor again: it did its
// work. A kill and all others are deaths in the middle of it.
const (
	ExitNoStart = 64 // the guest could not be started, or was stopped before it was
	ExitFailed  = 65 // it ended as none should: killed, for lack of memory, its init exited
)

func exitStatus(l *Life) int {
	switch {
	case l.Boots == 0:
		return ExitNoStart
	case l.Stop != nil || l.Exit == nil:
		return 0
	}
	switch l.Exit.Reason {
	case state.ReasonExited:
		if l.Exit.Code != nil && *l.Exit.Code == 0 {
			return 0
		}
		return ExitFailed
	case state.ReasonOOM, state.ReasonSignal, state.ReasonFailed:
		return ExitFailed
	}
	return 0
}

// ready is a monitor that knows its guest. What needs no plan is done before the
// wait for it, which is long enough.
func ready(h *heritage) (*monitor, error) {
	tree, err := detect.Find()
	if waited := h.awaitOrder(); waited != nil {
		return nil, waited
	}
	if err != nil {
		return nil, &sysctx.StepError{Step: "find control groups", Err: err}
	}
	h.tree = tree
	return setup(h)
}

// giveUp ends a monitor that can't work. The first of a life reports and says
// that it is done; a later one leaves it to its service manager to try again.
func (h *heritage) giveUp(err error) int {
	if !errors.Is(err, errWithdrawn) {
		fmt.Fprintln(os.Stderr, "sysct-helper: monitor:", err)
	}
	if h.again || h.life != nil {
		return 1
	}
	// First, so that who reads the report finds the name free.
	if store, serr := fdstore.Open(h.manager.Notify); serr == nil {
		store.Notify("STOPPING", "1")
		store.Close()
	}
	if h.report >= 0 {
		(&Report{Error: newFailure(err)}).send(h.report)
	}
	return ExitNoStart
}

// SigStop asks a monitor to stop its guest, as SIGTERM does, and is lost at no moment of
// the monitor's life: SIGRTMIN+3 (37), which services are told by KillSignal=.
const SigStop = syscall.Signal(37)

// start sends the first event.
func (m *monitor) start(h *heritage) {
	m.loop.Signals(m.signalled, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	m.hearStop()
	m.beginAlive()
	if h.life == nil {
		m.emit(Begin{Occupied: h.occupied})
		return
	}
	m.takeOver(h)
}

func (m *monitor) signalled(s os.Signal) {
	switch s {
	case syscall.SIGTERM, SigStop:
		m.emit(Terminate{})
	case syscall.SIGHUP:
		m.log.takeStderr()
	}
	// SIGINT is a terminal's, of which this process has none.
}
